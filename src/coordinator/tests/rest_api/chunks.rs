//! Chunks are found, and nodes say what they store.

use serde_json::json;

use crate::server::Server;

async fn with_a_chunk() -> Server {
    let server = Server::start().await;
    for id in ["n1", "n2", "n3", "n4"] {
        server.register_node(id).await;
    }
    server.register_file("f1", &["c1"]).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_and_its_locations_are_found() {
    let server = with_a_chunk().await;
    let chunk = server.get("/api/v1/chunks/c1").await;
    assert_eq!(chunk.status, 200);
    let nodes = chunk.body["stored_at_nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    let expected = json!({
        "chunk_id": "c1", "hash": "hash of c1", "size": 1_000, "index": 0, "file_id": "f1",
        "stored_at_nodes": nodes, "created_at": chunk.body["created_at"],
    });
    assert_eq!(chunk.body, expected);

    let locations = server.get("/api/v1/chunks/c1/locations").await;
    assert_eq!(locations.status, 200);
    assert_eq!(&locations.body["node_ids"], &chunk.body["stored_at_nodes"]);
    let addresses: Vec<_> = nodes
        .iter()
        .map(|node| format!("{}:9000", node.as_str().unwrap()))
        .collect();
    assert_eq!(locations.body["node_addresses"], json!(addresses));
    let few = server.get("/api/v1/chunks/c1/locations?preferred_count=2").await;
    assert_eq!(few.body["node_ids"].as_array().unwrap().len(), 2);
    let wrong = server
        .get("/api/v1/chunks/c1/locations?preferred_count=few")
        .await;
    wrong.assert_error(400, "preferred_count: must be a whole number");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_chunk_is_told_in_the_form_of_its_route() {
    let server = Server::start().await;
    for path in ["", "/explain"] {
        let reply = server.get(&format!("/api/v1/chunks/nothing{path}")).await;
        reply.assert_error(404, "chunk nothing is not known");
        assert!(reply.index.is_some());
    }
    let locations = server.get("/api/v1/chunks/nothing/locations").await;
    assert_eq!(locations.status, 404);
    assert_eq!(
        locations.body,
        json!({
            "success": false, "message": locations.body["message"], "node_ids": [], "node_addresses": [],
        })
    );
    let body = json!({"node_ids": ["n1"], "operation": "add"});
    let update = server.put("/api/v1/chunks/nothing/locations", body).await;
    assert_eq!(
        (update.status.as_u16(), &update.body["success"]),
        (404, &json!(false))
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_say_what_they_store_and_no_longer_do() {
    let server = with_a_chunk().await;
    let update = async |operation: &str, nodes: &[&str]| {
        let body = json!({"node_ids": nodes, "operation": operation, "chunk_id": "another"});
        server.put("/api/v1/chunks/c1/locations", body).await
    };
    let added = update("add", &["n1"]).await;
    assert_eq!(
        (added.status.as_u16(), &added.body["success"]),
        (200, &json!(true))
    );
    let explained = server.get("/api/v1/chunks/c1/explain").await;
    let replicas = explained.body["replicas"].as_array().unwrap();
    let stored = replicas
        .iter()
        .find(|replica| replica["node_id"] == "n1")
        .unwrap();
    assert_eq!(
        (&stored["state"], &stored["node_status"]),
        (&json!("stored"), &json!("active"))
    );
    assert_eq!(explained.body["wanted_replicas"], 3);
    assert!(!explained.body["candidates"].as_array().unwrap().is_empty());

    update("remove", &["n1"]).await;
    let locations = server.get("/api/v1/chunks/c1/locations").await;
    assert!(
        !locations.body["node_ids"]
            .as_array()
            .unwrap()
            .contains(&json!("n1"))
    );

    let unknown = update("move", &["n1"]).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body["success"]),
        (400, &json!(false))
    );
    assert!(unknown.body["message"].as_str().unwrap().contains("move"));
    update("add", &[])
        .await
        .assert_error(400, "node_ids: must name at least one node");
    assert_eq!(update("add", &["nobody"]).await.status, 404);
    server.end().await;
}
