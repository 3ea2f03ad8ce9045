//! Nodes register, report, are looked up, and go.

use serde_json::{Value, json};

use crate::server::{Server, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_an_id_is_given_one() {
    let server = Server::start().await;
    let body = json!({"addresses": ["10.0.0.1:9000"], "storage_capacity": 1_000, "unknown": {"ignored": []}});
    let reply = server.post("/api/v1/nodes/register", body).await;
    assert_eq!(reply.status, 200);
    assert!(reply.index.unwrap() > 0);
    assert_eq!(reply.body["success"], true);
    assert_eq!(reply.body["bootstrap_peers"], json!([]));
    let id = reply.body["assigned_node_id"].as_str().unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_node_is_shown_in_full() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let body = json!({
        "node_id": "n2", "addresses": ["a:1", "b:2"], "storage_capacity": i64::MAX, "capabilities": {"zone": "z1"},
    });
    let reply = server.post("/api/v1/nodes/register", body).await;
    assert_eq!(reply.body["assigned_node_id"], "n2");
    assert_eq!(reply.body["bootstrap_peers"], json!(["n1:9000"]));

    let node = server.get("/api/v1/nodes/n2").await;
    assert_eq!(node.status, 200);
    assert!(node.index >= reply.index);
    let registered = node.body["registered_at"].as_str().unwrap();
    assert!(
        registered.len() == 24 && registered.ends_with('Z'),
        "{registered}"
    );
    let expected = json!({
        "node_id": "n2", "addresses": ["a:1", "b:2"], "storage_capacity": i64::MAX,
        "capabilities": {"zone": "z1"}, "status": "active", "registered_at": registered,
        "last_heartbeat": node.body["last_heartbeat"], "stats": node.body["stats"],
    });
    assert_eq!(node.body, expected);

    server
        .get("/api/v1/nodes/nobody")
        .await
        .assert_error(404, "node nobody is not registered");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_updates_the_statistics() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let stats = json!({
        "storage_used": 1, "storage_available": 2, "chunks_stored": 3, "bandwidth_up": 4, "bandwidth_down": 5,
        "cpu_usage": 12.5, "memory_usage": 50, "uptime_seconds": 77,
    });
    let reply = server
        .post(
            "/api/v1/nodes/n1/heartbeat",
            json!({"stats": stats, "node_id": "another"}),
        )
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        (&reply.body["success"], &reply.body["tasks"]),
        (&json!(true), &json!([]))
    );

    let node = server.get("/api/v1/nodes/n1?consistency=local").await;
    assert_eq!(node.body["stats"]["uptime_seconds"], 77);
    assert_eq!(node.body["stats"]["cpu_usage"], 12.5);
    let heard = node.body["last_heartbeat"].as_str().unwrap().to_owned();

    // Nothing new in it: what was said before stands.
    for body in [json!({}), json!({"stats": null})] {
        assert_eq!(server.post("/api/v1/nodes/n1/heartbeat", body).await.status, 200);
    }
    let node = server.get("/api/v1/nodes/n1?consistency=local").await;
    assert_eq!(node.body["stats"]["uptime_seconds"], 77);
    assert!(node.body["last_heartbeat"].as_str().unwrap() >= heard.as_str());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_node_is_told_so_in_the_usual_form() {
    let server = Server::start().await;
    let reply = server
        .post("/api/v1/nodes/nobody/heartbeat", json!({"stats": {}}))
        .await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.body["success"], false);
    assert_eq!(reply.body["tasks"], json!([]));
    assert!(
        reply.body["message"].as_str().unwrap().contains("nobody"),
        "{reply:?}"
    );

    for path in ["unregister", "drain", "activate"] {
        let reply = server.post_nothing(&format!("/api/v1/nodes/nobody/{path}")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["success"]),
            (404, &json!(false)),
            "{path}"
        );
        assert!(reply.index.is_some(), "{path}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_with_a_reason_or_without() {
    let server = Server::start().await;
    for (id, body) in [
        ("n1", None),
        ("n2", Some(json!({}))),
        ("n3", Some(json!({"reason": "retired"}))),
        ("n4", Some(json!({"reason": null}))),
        ("n5", Some(json!(null))),
    ] {
        server.register_node(id).await;
        let path = format!("/api/v1/nodes/{id}/unregister");
        let reply = match body {
            None => server.post_nothing(&path).await,
            Some(body) => server.post(&path, body).await,
        };
        assert_eq!(
            (reply.status.as_u16(), &reply.body["success"]),
            (200, &json!(true)),
            "{id}"
        );
        assert_eq!(
            server.get(&format!("/api/v1/nodes/{id}")).await.body["status"],
            "inactive"
        );
    }
    let heartbeat = server.post("/api/v1/nodes/n1/heartbeat", json!({})).await;
    assert_eq!(heartbeat.status, 404, "it must register again");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_drain_and_maintain_and_take_it_back() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let state = |reply: crate::server::Reply| (reply.status.as_u16(), reply.body["status"].clone());
    let drained = server.post_nothing("/api/v1/nodes/n1/drain").await;
    // The status need not tell what was done: that of a silent node is another one.
    assert_eq!(
        drained.body["message"],
        "Drain is on; the node's status is draining"
    );
    assert_eq!(state(drained), (200, json!("draining")));
    let maintained = server
        .post("/api/v1/nodes/n1/maintenance", json!({"for": "30m"}))
        .await;
    assert_eq!(state(maintained), (200, json!("maintenance")));
    assert_eq!(server.get("/api/v1/nodes/active").await.body["total_nodes"], 0);
    let activated = server.post_nothing("/api/v1/nodes/n1/activate").await;
    assert_eq!(state(activated), (200, json!("active")));
    for wrong in [json!({"for": "soon"}), json!({"for": "0s"}), json!({"for": ""})] {
        let reply = server.post("/api/v1/nodes/n1/maintenance", wrong).await;
        reply.assert_error(400, "for: must be a number and");
    }
    let reply = server.post("/api/v1/nodes/n1/maintenance", json!({})).await;
    reply.assert_error(400, "body: missing field `for`");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn active_nodes_are_listed_up_to_a_limit_without_the_excluded() {
    let server = Server::start().await;
    for number in 0..53 {
        server.register_node(&format!("node {number:02}")).await;
    }
    let count = |body: &Value| {
        (
            body["total_nodes"].clone(),
            body["nodes"].as_array().unwrap().len(),
        )
    };
    let nodes = server.get("/api/v1/nodes/active").await;
    assert_eq!(count(&nodes.body), (json!(50), 50));
    let nodes = server.get("/api/v1/nodes/active?limit=0").await;
    assert_eq!(count(&nodes.body), (json!(53), 53));
    assert!(nodes.index.is_some());
    let nodes = server
        .get("/api/v1/nodes/active?limit=0&exclude=node%2000&exclude=node+01&exclude=nobody&other=%FF")
        .await;
    assert_eq!(count(&nodes.body), (json!(51), 51));
    assert!(!nodes.body.to_string().contains("node 01"));
    for (query, details) in [
        (
            "limit=-1",
            "limit: must be a whole number from 0 to 2147483647, got \"-1\"",
        ),
        ("limit=x", "limit: must be a whole number"),
        ("exclude=", "exclude[0]: must not be empty"),
        (
            "exclude=a&exclude=%00",
            "exclude[1]: must not contain control characters",
        ),
        ("exclude=%FF", "exclude: is not UTF-8"),
    ] {
        let reply = server.get(&format!("/api/v1/nodes/active?{query}")).await;
        reply.assert_error(400, details);
    }
    let many = |count: usize| format!("/api/v1/nodes/active?{}", "exclude=node%2000&".repeat(count));
    assert_eq!(server.get(&many(1_000)).await.status, 200);
    let reply = server.get(&many(1_001)).await;
    reply.assert_error(413, "exclude: must have at most 1000 node ids, got 1001");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_in_the_path_wins_and_may_hold_anything_printable() {
    let server = Server::start().await;
    let id = "a/b ü?&=%";
    server.register_node(id).await;
    server.register_node("other").await;
    let path = "/api/v1/nodes/a%2Fb%20%C3%BC%3F%26%3D%25";
    assert_eq!(server.get(path).await.body["node_id"], id);
    let reply = server
        .post(&format!("{path}/unregister"), json!({"node_id": "other"}))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(server.get("/api/v1/nodes/other").await.body["status"], "active");
    assert_eq!(server.get(path).await.body["status"], "inactive");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_with_its_key_has_one_effect() {
    let server = Server::start().await;
    let register = |body: Value| {
        let request = server.request(reqwest::Method::POST, "/api/v1/nodes/register");
        send(request.header("Idempotency-Key", "key 1").json(&body))
    };
    let body = json!({"addresses": ["a:1"], "storage_capacity": 5});
    let (first, second) = (register(body.clone()).await, register(body).await);
    assert_eq!(first.status, 200);
    assert_eq!(first.body["assigned_node_id"], second.body["assigned_node_id"]);
    let other = register(json!({"addresses": ["a:2"], "storage_capacity": 5})).await;
    other.assert_error(422, "the idempotency key \"key 1\" was used for another request");
    let request = server.request(reqwest::Method::POST, "/api/v1/nodes/n1/drain");
    send(
        request
            .header("Idempotency-Key", "a")
            .header("Idempotency-Key", "b"),
    )
    .await
    .assert_error(400, "Idempotency-Key: must be given once");
    server.end().await;
}
