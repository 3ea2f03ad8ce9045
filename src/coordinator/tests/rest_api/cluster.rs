//! The cluster of one answers honestly, and the data as a whole is looked after.

use serde_json::json;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_says_that_it_leads_itself() {
    let server = Server::start().await;
    let status = server.get("/api/v1/cluster").await;
    assert_eq!(status.status, 200);
    assert_eq!(
        (&status.body["engine"], &status.body["leader"]),
        (&json!("raft"), &json!("alone"))
    );
    assert_eq!(status.body["leader_address"], "127.0.0.1:8080");
    assert_eq!(status.body["failure_tolerance"], 0);
    assert_eq!(status.index, status.body["applied_index"].as_u64());
    let member = &status.body["members"][0];
    let expected = json!({
        "name": "alone", "raft_id": member["raft_id"], "role": "voter", "address": "127.0.0.1:8092",
        "healthy": true, "lag": 0,
    });
    assert_eq!(*member, expected);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_cannot_do_is_refused_with_what_to_do() {
    let server = Server::start().await;
    let transfer = "/api/v1/cluster/transfer-leader";
    server
        .post_nothing(transfer)
        .await
        .assert_error(409, "no other member could lead");
    server
        .post(transfer, json!({"to": null}))
        .await
        .assert_error(409, "no other member could lead");
    server
        .post(transfer, json!({"to": "alone"}))
        .await
        .assert_error(409, "alone leads already");
    server
        .post(transfer, json!({"to": "b"}))
        .await
        .assert_error(404, "no member is called \"b\"; there are: alone");
    server
        .delete("/api/v1/cluster/members/b")
        .await
        .assert_error(404, "no member is called \"b\"");
    server
        .delete("/api/v1/cluster/members/alone")
        .await
        .assert_error(409, "without alone no quorum");
    let resize = "/api/v1/cluster/resize";
    let same = server.post(resize, json!({"replicas": 1})).await;
    assert_eq!((same.status.as_u16(), &same.body["success"]), (200, &json!(true)));
    let more = server.post(resize, json!({"replicas": 3})).await;
    more.assert_error(409, "");
    for setting in ["cluster.replicas", "cluster.peers"] {
        assert!(
            more.body["details"].as_str().unwrap().contains(setting),
            "{more:?}"
        );
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_nobody_can_mean_is_refused_by_name() {
    let server = Server::start().await;
    let resize = "/api/v1/cluster/resize";
    server
        .post(resize, json!({"replicas": 0}))
        .await
        .assert_error(400, "replicas: must be from 1 to 99");
    server
        .post(resize, json!({}))
        .await
        .assert_error(400, "body: missing field `replicas`");
    server
        .post("/api/v1/cluster/transfer-leader", json!({"to": ""}))
        .await
        .assert_error(400, "to: must not be empty");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_shown_in_numbers() {
    let server = Server::start().await;
    server.register_node("n1").await;
    server.register_file("f1", &["c1", "c2"]).await;
    let status = server.get("/api/v1/network/status").await;
    let numbers = &status.body["network_stats"];
    assert_eq!(
        *numbers,
        json!({
            "total_nodes": 1, "active_nodes": 1, "total_storage_capacity": 1_000_000_000, "total_storage_used": 0,
            "total_files": 1, "total_chunks": 2, "average_node_uptime": 0.0,
            "network_uptime_seconds": numbers["network_uptime_seconds"],
        })
    );
    assert_eq!(status.body["active_nodes"][0]["node_id"], "n1");
    assert_eq!(status.body["active_nodes"][0]["status"], "active");
    assert!(status.body["timestamp"].as_i64().unwrap() > 1_700_000_000);
    let stats = server.get("/api/v1/network/stats").await;
    assert_eq!(stats.body["total_chunks"], 2);
    assert!(stats.body["timestamp"].is_i64());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_is_measured_backed_up_and_cleaned() {
    let server = Server::start().await;
    server.register_node("n1").await;
    server.register_file("f1", &["c1", "c2"]).await;
    let stats = server.get("/api/v1/admin/database/stats").await;
    assert_eq!(stats.status, 200);
    assert_eq!(
        (&stats.body["files"], &stats.body["nodes"]["active"]),
        (&json!(1), &json!(1))
    );
    assert!(stats.body["size_bytes"].as_u64().unwrap() > 0);
    assert!(!stats.body["rows"].as_object().unwrap().is_empty());
    let backup = server.post_nothing("/api/v1/admin/database/backup").await;
    assert_eq!(backup.status, 200);
    let path = std::path::Path::new(backup.body["path"].as_str().unwrap());
    assert!(path.starts_with(server.directory()));
    assert_eq!(
        path.metadata().unwrap().len(),
        backup.body["size_bytes"].as_u64().unwrap()
    );
    let cleanup = server.post_nothing("/api/v1/admin/database/cleanup").await;
    assert_eq!(
        (cleanup.status.as_u16(), &cleanup.body["success"]),
        (200, &json!(true))
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_many_rows_has_them_all() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let chunks: Vec<String> = (0..5_000).map(|number| format!("c{number}")).collect();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    assert_eq!(server.register_file("f1", &chunks).await.status, 201);
    let backup = server.post_nothing("/api/v1/admin/database/backup").await;
    assert_eq!(backup.status, 200);
    assert!(backup.body["rows"].as_u64().unwrap() > 5_000, "{backup:?}");
    server.end().await;
}
