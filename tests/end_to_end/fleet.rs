//! The simulated nodes against the real coordinator.

use serde_json::Value;
use zephyrfs_tests::{TestNode, run_to_end};

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_registers_files_and_finds_every_chunk_where_it_was_told() {
    let mut node = TestNode::start().await;
    let url = node.grpc_url();
    let arguments = [
        "run",
        "--endpoint",
        &url,
        "--nodes",
        "12",
        "--zones",
        "3",
        "--heartbeat",
        "200ms",
        "--files-per-second",
        "50",
        "--total-files",
        "40",
        "--chunk-size",
        "64KiB",
        "--verify",
        "-o",
        "json",
    ];
    let ended = run_to_end("fleet", &arguments, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
    let status = node.rest().get("/api/v1/network/status").await.body;
    assert_eq!(status["network_stats"]["total_files"], 40, "{summary}");
    assert_eq!(status["network_stats"]["active_nodes"], 12);
    assert_eq!(node.stop().await, Some(0));
}
