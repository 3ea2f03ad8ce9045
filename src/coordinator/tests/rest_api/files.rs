//! Files are registered, found, and deleted.

use serde_json::json;

use crate::server::{Server, file};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_placed_found_and_deleted() {
    let server = Server::start().await;
    for id in ["n1", "n2", "n3"] {
        server.register_node(id).await;
    }
    let registered = server.register_file("f1", &["c1", "c2"]).await;
    assert_eq!(registered.status, 201);
    assert_eq!(registered.body["success"], true);
    let placements = registered.body["chunk_placements"].as_array().unwrap();
    assert_eq!(placements.len(), 2);
    for (placement, chunk) in placements.iter().zip(["c1", "c2"]) {
        assert_eq!(placement["chunk_id"], chunk);
        assert_eq!(placement["target_nodes"].as_array().unwrap().len(), 3);
        assert_eq!(placement["replication_factor"], 3);
    }
    let again = server.register_file("f1", &["c1", "c2"]).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &registered.body));

    let index = registered.index.unwrap();
    let found = server
        .get(&format!("/api/v1/files/f1?consistency=local&at_least={index}"))
        .await;
    assert_eq!(found.status, 200);
    assert!(found.index.unwrap() >= index);
    let info = &found.body["file_info"];
    assert_eq!(found.body["success"], true);
    let created = info["created_at"].as_i64().unwrap();
    assert!(created > 1_700_000_000, "{info}");
    let nodes = &info["chunks"][0]["stored_at_nodes"];
    assert_eq!(
        info["chunks"][0],
        json!({
            "chunk_id": "c1", "hash": "hash of c1", "size": 1_000, "index": 0, "stored_at_nodes": nodes,
            "replication_count": 3,
        })
    );
    let mut rest = info.clone();
    rest.as_object_mut().unwrap().remove("chunks");
    assert_eq!(
        rest,
        json!({
            "file_id": "f1", "file_name": "f1.bin", "file_size": 2_000, "file_hash": "hash of f1",
            "owner_node_id": "somebody", "created_at": created, "last_accessed": created,
        })
    );

    let deleted = server.delete("/api/v1/files/f1").await;
    assert_eq!(
        (deleted.status.as_u16(), &deleted.body["success"]),
        (200, &json!(true))
    );
    let gone = server.get("/api/v1/files/f1").await;
    assert_eq!(gone.status, 404);
    assert_eq!(
        (&gone.body["success"], &gone.body["file_info"]),
        (&json!(false), &json!(null))
    );
    assert!(gone.index >= deleted.index);
    let again = server.delete("/api/v1/files/f1").await;
    assert_eq!(
        (again.status.as_u16(), &again.body["success"]),
        (404, &json!(false))
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_network_is_an_outcome_of_its_own() {
    let server = Server::start().await;
    let nobody = server.register_file("f1", &["c1"]).await;
    assert_eq!(nobody.status, 507);
    assert_eq!(nobody.body["success"], false);
    assert_eq!(nobody.body["chunk_placements"], json!([]));
    assert_eq!(server.get("/api/v1/files/f1").await.status, 404);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_chunk_with_other_content_is_refused() {
    let server = Server::start().await;
    server.register_node("n1").await;
    server.register_file("f1", &["c1"]).await;
    let mut other = file("f2", &["c1"]);
    other["chunks"][0]["hash"] = json!("another");
    let reply = server.post("/api/v1/files/register", other).await;
    reply.assert_error(409, "chunks[0]");
    assert!(reply.index.is_some());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_or_wrong_is_named() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let register = async |change: &dyn Fn(&mut serde_json::Value)| {
        let mut body = file("f1", &["c1", "c2"]);
        change(&mut body);
        server.post("/api/v1/files/register", body).await
    };
    for field in ["file_id", "file_name", "file_size", "file_hash", "chunks"] {
        let reply = register(&|body| drop(body.as_object_mut().unwrap().remove(field))).await;
        reply.assert_error(400, &format!("body: missing field `{field}`"));
    }
    for field in ["chunk_id", "hash", "size"] {
        let reply = register(&|body| drop(body["chunks"][1].as_object_mut().unwrap().remove(field))).await;
        reply.assert_error(400, &format!("chunks[1]: missing field `{field}`"));
    }
    let reply = register(&|body| body["chunks"][1]["size"] = json!("1000")).await;
    reply.assert_error(
        400,
        "chunks[1].size: invalid type: string \"1000\", expected a whole number",
    );
    let reply = register(&|body| body["chunks"][1]["size"] = json!(-1)).await;
    reply.assert_error(400, "chunks[1].size: must not be negative, got -1");
    let reply = register(&|body| body["file_id"] = json!("")).await;
    reply.assert_error(400, "file_id: must not be empty");
    let reply = register(&|body| body["chunks"][1]["index"] = json!(0)).await;
    reply.assert_error(400, "chunks[1].index: must not appear twice");

    // What has a meaning when it is left out.
    let reply = register(&|body| {
        body.as_object_mut().unwrap().remove("owner_node_id");
        body["chunks"][0].as_object_mut().unwrap().remove("index");
    })
    .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_its_index_until_the_time_runs_out() {
    let server = Server::start_with(|settings| {
        settings.rest.request_timeout = std::time::Duration::from_millis(300);
    })
    .await;
    let late = server.get("/api/v1/files?at_least=1000000").await;
    late.assert_error(504, "");
    assert_eq!(late.body["error"], "deadline exceeded");
    server.end().await;
}
