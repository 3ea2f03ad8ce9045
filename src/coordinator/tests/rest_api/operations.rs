//! Repair is stopped and let go on, and everything is asked why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zephyrfs_coordinator::service::Repair;

use crate::server::{PATIENCE, Server};

/// The nodes that a chunk was placed on, which all say that they have it now.
async fn store(server: &Server, chunk: &str) -> Vec<String> {
    let found = server.get(&format!("/api/v1/chunks/{chunk}/locations")).await;
    let nodes: Vec<String> = serde_json::from_value(found.body["node_ids"].clone()).unwrap();
    add(server, chunk, &nodes).await;
    nodes
}

pub(crate) async fn add(server: &Server, chunk: &str, nodes: &[String]) {
    let body = json!({"node_ids": nodes, "operation": "add"});
    let path = format!("/api/v1/chunks/{chunk}/locations");
    assert_eq!(server.put(&path, body).await.status, 200);
}

/// Repairs until an answer is as it should be.
pub(crate) async fn repair_until(
    server: &Server,
    repair: &mut Repair,
    path: &str,
    is_done: impl Fn(u16, &Value) -> bool,
) -> Value {
    let begun = Instant::now();
    loop {
        server
            .service
            .repair(repair, Duration::from_secs(86_400))
            .await
            .unwrap();
        let reply = server.get(path).await;
        if is_done(reply.status.as_u16(), &reply.body) {
            return reply.body;
        }
        assert!(begun.elapsed() < PATIENCE, "{reply:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A server with nodes n1, n2, ... and a file of one chunk, which those that it was placed on have.
pub(crate) async fn with_nodes(count: usize) -> (Server, Vec<String>) {
    let server = Server::start().await;
    for number in 1..=count {
        server.register_node(&format!("n{number}")).await;
    }
    assert_eq!(server.register_file("f", &["c"]).await.status, 201);
    let nodes = store(&server, "c").await;
    (server, nodes)
}

pub(crate) fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brake_is_shown_explained_and_released() {
    let (server, _) = with_nodes(3).await;
    let calm = server.get("/api/v1/repair").await.body;
    let expected = json!({
        "brake": null, "report": {"last_pass": null, "running_pass": null, "rebalancing": false},
    });
    assert_eq!(calm, expected);
    let mut repair = Repair::default();
    let is_over = |_, body: &Value| body["report"]["last_pass"]["chunks"] == 1;
    let seen = repair_until(&server, &mut repair, "/api/v1/repair", is_over).await;
    assert_eq!(seen["report"]["last_pass"]["by_copies"], json!({"3": 1}));

    server.expire("n1").await;
    server.expire("n2").await;
    let stopped = server.get("/api/v1/repair").await.body["brake"].clone();
    assert_eq!(
        (&stopped["silent"], &stopped["of"]),
        (&json!(["n1", "n2"]), &json!(3))
    );
    assert_eq!(words(&stopped["since"]).len(), 24);
    let why = server.get("/api/v1/why/chunk/c").await.body;
    let told = "repair is stopped: 2 of 3 nodes fell silent together";
    assert_eq!(why["obstacles"], json!([told]));
    assert!(
        words(&why["summary"]).contains("1 of 3 can be relied on; repair is stopped"),
        "{why}"
    );
    let why = server.get("/api/v1/why/node/n1").await.body;
    assert_eq!(
        (&why["node"]["in_brake"], &why["node"]["observed"]),
        (&json!(true), &json!("inactive"))
    );
    let obstacles: Vec<&str> = why["obstacles"].as_array().unwrap().iter().map(words).collect();
    assert!(obstacles[0].starts_with("it is silent since "), "{obstacles:?}");
    assert!(obstacles.contains(&told), "{obstacles:?}");
    assert!(
        obstacles.contains(&"no new chunk is placed on it: it is inactive"),
        "{obstacles:?}"
    );
    assert_eq!(
        server.get("/api/v1/why/node/n3").await.body["node"]["in_brake"],
        false
    );

    let cleanup = server.post_nothing("/api/v1/admin/database/cleanup").await.body;
    assert!(
        words(&cleanup["message"]).contains("except for chunks: repair is stopped"),
        "{cleanup}"
    );

    let released = server.post_nothing("/api/v1/repair/release").await;
    assert_eq!(
        (released.status.as_u16(), &released.body["nodes"]),
        (200, &json!(2))
    );
    assert_eq!(server.get("/api/v1/repair").await.body["brake"], json!(null));
    assert_eq!(
        server.post_nothing("/api/v1/repair/release").await.body["nodes"],
        0
    );
    let why = server.get("/api/v1/why/node/n1").await.body;
    assert_eq!(why["node"]["written_off"], true);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_says_what_its_copies_count_for_and_what_it_waits_for() {
    let (server, nodes) = with_nodes(3).await;
    let whole = server.get("/api/v1/why/chunk/c").await;
    assert!(whole.index.is_some());
    let first = whole.body.as_object().unwrap();
    assert!(
        words(&first["summary"]).contains("is whole: 3 copies can be relied on"),
        "{first:?}"
    );
    assert_eq!(first["obstacles"], json!([]));
    let chunk = &first["chunk"];
    assert_eq!(
        (&chunk["home"], &chunk["sharers"], &chunk["class"]),
        (&json!("f"), &json!(0), &json!(null))
    );
    assert_eq!(chunk["replicas"][0]["counts"], "a copy that can be relied on");
    let changes: Vec<_> = first["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| words(&event["change"]))
        .collect();
    assert_eq!((changes[0], changes[1]), ("created", "replicas_changed"));

    // One silent node is waited for.
    server.expire(&nodes[0]).await;
    let waiting = server.get("/api/v1/why/chunk/c").await.body;
    assert!(
        words(&waiting["obstacles"][0]).starts_with("a silent node that has a copy is expected back"),
        "{waiting}"
    );
    let chunk = &waiting["chunk"];
    assert_eq!(
        (&chunk["copies_sure"], &chunk["class"]),
        (&json!(2), &json!("under_target"))
    );
    assert!(
        chunk["waits_until"].is_string() && chunk["lacking_since"].is_string(),
        "{chunk}"
    );
    let of = |node: &str| {
        let replicas = chunk["replicas"].as_array().unwrap().iter();
        let mut found = replicas.filter(|replica| replica["node_id"] == node);
        found.next().unwrap().clone()
    };
    assert_eq!(of(&nodes[0])["counts"], "a copy whose node is expected back");
    assert_eq!(of(&nodes[0])["node_status"], "inactive");

    assert_eq!(server.delete("/api/v1/files/f").await.status, 200);
    let released = server.get("/api/v1/why/chunk/c").await.body;
    assert!(
        words(&released["summary"]).contains("no file holds it: its copies are dropped after"),
        "{released}"
    );
    assert!(released["chunk"]["unreferenced_since"].is_string());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_not_found() {
    let server = Server::start().await;
    let no_task = "0".repeat(32);
    server
        .get("/api/v1/why/chunk/x")
        .await
        .assert_error(404, "chunk x");
    server.get("/api/v1/why/node/x").await.assert_error(404, "node x");
    server
        .get(&format!("/api/v1/why/task/{no_task}"))
        .await
        .assert_error(
            404,
            &format!("there is no task {no_task}, and no event after index "),
        );
    server
        .get("/api/v1/why/task/x")
        .await
        .assert_error(400, "id: must be 32 hex digits");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_and_goes_says_until_when_it_is_held_down() {
    let server = Server::start().await;
    // A node that counts as inactive is answered when its heartbeat is recorded.
    let (service, stop) = (Arc::clone(&server.service), CancellationToken::new());
    let stopped = stop.clone();
    let flusher = tokio::spawn(async move { service.flush_heartbeats_until(stopped).await });
    server.register_node("n1").await;
    let come_back = async || {
        server.expire("n1").await;
        let beat = server.post("/api/v1/nodes/n1/heartbeat", json!({})).await;
        assert_eq!(beat.status, 200);
        server.get("/api/v1/nodes/n1").await.body
    };
    let once = come_back().await;
    assert!(
        once.get("held_until").is_none() && once.get("returns").is_none(),
        "{once}"
    );
    let twice = come_back().await;
    assert_eq!(twice["returns"], 2);
    assert!(
        words(&twice["held_until"]) > words(&twice["last_heartbeat"]),
        "{twice}"
    );
    let listed = server.get("/api/v1/nodes").await.body["items"][0].clone();
    assert_eq!(listed["held_until"], twice["held_until"]);
    let why = server.get("/api/v1/why/node/n1").await.body;
    let obstacle = words(&why["obstacles"][0]);
    assert!(
        obstacle.starts_with("it came back 2 times in a row and did not stay"),
        "{obstacle}"
    );
    assert!(
        words(&why["node"]["not_for_repair"]).contains("held down"),
        "{why}"
    );
    stop.cancel();
    flusher.await.unwrap();
    server.end().await;
}
