//! Chunks get their copies, and lose those that nobody needs, through nothing but what an existing node speaks.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use zephyrfs_tests::{Answer, Rest, TestNode, binary, until};

fn file(id: &str) -> Value {
    json!({"file_id": id, "file_name": "f", "file_size": 1_000, "file_hash": "h",
           "chunks": [{"chunk_id": format!("{id}-0"), "hash": "h0", "size": 1_000, "index": 0}]})
}

/// A configuration file, which goes with its directory.
fn config(text: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    (directory, path.display().to_string())
}

async fn beat(rest: &Rest, node: &str) -> Vec<Value> {
    let path = format!("/api/v1/nodes/{node}/heartbeat");
    let answer = rest.post(&path, &json!({"stats": {"uptime_seconds": 1}})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tasks = answer.body["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| serde_json::from_str(task.as_str().unwrap()).unwrap())
        .collect()
}

/// The tasks that a node gets, once it gets some.
async fn told(rest: &Rest, node: &str) -> Vec<Value> {
    until("the node is told to do something", async || {
        Some(beat(rest, node).await).filter(|tasks| !tasks.is_empty())
    })
    .await
}

async fn locations(rest: &Rest, chunk: &str, operation: &str, node: &str) -> Answer {
    let path = format!("/api/v1/chunks/{chunk}/locations");
    let body = json!({"node_ids": [node], "operation": operation});
    rest.answered("PUT", &path, Some(&body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_the_process_and_ends_when_its_node_says_so() {
    let (_directory, config) = config("coordinator: {gc_grace: 1s, replication_factor: 2}");
    let mut coordinator = TestNode::start_with(&[], &["--config", &config]).await;
    coordinator.register_nodes(1).await;
    let rest = coordinator.rest();
    assert_eq!(rest.post("/api/v1/files/register", &file("f")).await.status, 201);
    assert_eq!(locations(&rest, "f-0", "add", "n1").await.status, 200);
    coordinator.register_nodes(2).await;
    let first = told(&rest, "n2").await;
    assert_eq!(first[0]["type"], "replicate");
    assert_eq!(first[0]["hash"], "h0");
    coordinator.kill().await;
    coordinator.start_again().await;
    let rest = coordinator.rest();
    assert_eq!(told(&rest, "n2").await[0]["id"], first[0]["id"]);
    assert_eq!(locations(&rest, "f-0", "add", "n2").await.status, 200);
    assert!(beat(&rest, "n2").await.is_empty());
    let found = rest.get("/api/v1/chunks/f-0/locations").await;
    assert_eq!(found.body["node_ids"], json!(["n1", "n2"]));

    let deleted = rest.answered("DELETE", "/api/v1/files/f", None).await;
    assert_eq!(deleted.status, 200);
    for node in ["n1", "n2"] {
        let tasks = told(&rest, node).await;
        assert_eq!((tasks.len(), &tasks[0]["type"]), (1, &json!("delete")));
        assert_eq!(locations(&rest, "f-0", "remove", node).await.status, 200);
    }
    assert_eq!(locations(&rest, "f-0", "remove", "n1").await.status, 404);
    assert_eq!(coordinator.stop().await, Some(0));
}

/// Whether each chunk has three locations on nodes that are there.
async fn all_are_whole(rest: &Rest) -> Option<()> {
    let list = rest.get("/api/v1/files?limit=1000").await;
    for item in list.body["items"].as_array()? {
        let info = rest
            .get(&format!("/api/v1/files/{}", item["file_id"].as_str()?))
            .await;
        for chunk in info.body["file_info"]["chunks"].as_array()? {
            let path = format!("/api/v1/chunks/{}/locations", chunk["chunk_id"].as_str()?);
            let found = rest.get(&path).await;
            if found.body["node_ids"].as_array()?.len() != 3 {
                return None;
            }
        }
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_chunk_is_whole_again_after_nodes_were_lost() {
    let (_directory, config) = config(
        "coordinator: {heartbeat_interval: 200ms, heartbeat_flush: 100ms, node_inactive_after: 3s, node_timeout: 1s, \
         repair_delay: 1s, repair_delay_few: 1s, repair_delay_last: 1s}",
    );
    let mut coordinator = TestNode::start_with(&[], &["--config", &config]).await;
    let url = coordinator.grpc_url();
    let arguments = [
        "run",
        "--endpoint",
        &url,
        "--nodes",
        "9",
        "--heartbeat",
        "200ms",
        "--copy-rate",
        "instant",
        "--files-per-second",
        "3",
        "--chunks-per-file",
        "2",
        "--chunk-size",
        "4KiB",
        "--fail",
        "2",
        "--fail-after",
        "3s",
        "-o",
        "json",
    ];
    let fleet = Command::new(binary("fleet"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let rest = coordinator.rest();
    until("two nodes are missed", async || {
        let silent = rest.get("/api/v1/nodes?status=inactive").await;
        (silent.body["items"].as_array()?.len() == 2).then_some(())
    })
    .await;
    until("every chunk is whole and nobody has anything to do", async || {
        let tasks = rest.get("/api/v1/tasks").await;
        let is_idle = tasks.body["items"].as_array()?.is_empty();
        all_are_whole(&rest).await.filter(|()| is_idle)
    })
    .await;
    let pid = fleet.id().unwrap().to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.unwrap().success());
    let ended = fleet.wait_with_output().await.unwrap();
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert!(
        summary["counts"]["tasks_replicated"].as_u64().unwrap() > 0,
        "{summary:#}"
    );
    assert_eq!(coordinator.stop().await, Some(0));
}
