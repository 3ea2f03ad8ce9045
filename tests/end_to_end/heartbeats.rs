//! Heartbeats: many of them are one log entry, and silence is noticed.

use serde_json::json;
use zephyrfs_tests::{TestNode, until};

async fn applied(node: &TestNode) -> u64 {
    node.rest().get("/api/v1/cluster").await.body["applied_index"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_beats_are_a_few_log_entries_and_are_read_at_once() {
    let mut node = TestNode::start().await;
    node.register_nodes(50).await;
    let before = applied(&node).await;
    let rest = node.rest();
    for round in 0..20_u64 {
        for number in 1..=50 {
            let body = json!({"stats": {"storage_used": round, "storage_available": 1_000_000, "uptime_seconds": round}});
            let answer = rest
                .post(&format!("/api/v1/nodes/n{number}/heartbeat"), &body)
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let seen = rest.get("/api/v1/nodes/n7").await.body;
        assert_eq!(
            seen["stats"]["storage_used"], round,
            "a beat is read at once: {seen}"
        );
    }
    let entries = applied(&node).await - before;
    assert!(entries < 200, "1,000 beats took {entries} log entries");
    assert_eq!(node.stop().await, Some(0));
    node.start_again().await;
    let seen = node.rest().get("/api/v1/nodes/n7").await.body;
    assert_eq!(
        seen["stats"]["storage_used"], 19,
        "an orderly stop records the last beats: {seen}"
    );
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_becomes_inactive_and_comes_back_with_a_beat() {
    let settings = [
        "--set",
        "coordinator.heartbeat_interval=200ms",
        "--set",
        "coordinator.heartbeat_flush=100ms",
        "--set",
        "coordinator.node_inactive_after=1s",
    ];
    let mut node = TestNode::start_with(&[], &settings).await;
    node.register_nodes(2).await;
    let rest = node.rest();
    let status = async |id: &str| {
        let body = rest.get(&format!("/api/v1/nodes/{id}")).await.body;
        body["status"].as_str().map(str::to_owned)
    };
    until("n1 is inactive while n2 beats", async || {
        rest.post("/api/v1/nodes/n2/heartbeat", &json!({"stats": {}}))
            .await;
        (status("n1").await.as_deref() == Some("inactive")).then_some(())
    })
    .await;
    assert_eq!(status("n2").await.as_deref(), Some("active"));
    assert_eq!(rest.get("/api/v1/nodes/active").await.body["total_nodes"], 1);
    let answer = rest
        .post("/api/v1/nodes/n1/heartbeat", &json!({"stats": {}}))
        .await;
    assert_eq!(answer.body["success"], true);
    assert_eq!(
        status("n1").await.as_deref(),
        Some("active"),
        "active at once, not a flush later"
    );
    assert_eq!(node.stop().await, Some(0));
}
