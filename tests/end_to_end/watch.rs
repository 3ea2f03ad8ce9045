//! A process that is watched: it stops in order all the same, and watches go on after its next start.

use std::time::Duration;

use futures::StreamExt as _;
use zephyrfs_proto::coordinator as wire;
use zephyrfs_tests::{TestNode, until};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn after(index: u64) -> wire::WatchRequest {
    wire::WatchRequest {
        after: Some(index),
        ..wire::WatchRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_end_with_the_process_and_go_on_with_the_next_one() {
    let mut node = TestNode::start().await;
    node.register_nodes(3).await;
    let mut stream = node.grpc().await.watch(after(0)).await.unwrap().into_inner();
    let mut sse = reqwest::get(format!("{}/api/v1/watch?after=0", node.rest().base()))
        .await
        .unwrap();
    let mut last = 0;
    let mut nodes = Vec::new();
    while nodes.len() < 3 {
        let event = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
        let event = event.unwrap().unwrap();
        last = event.resume_after;
        nodes.extend((event.kind == "node").then_some(event.node_id));
    }
    assert_eq!(nodes, ["n1", "n2", "n3"]);
    // Longer than what counts as slow.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(node.stop().await, Some(0));
    for problem in [
        "Slow API response",
        "Some gRPC connections did not close in time; they are cut off",
        "Requests did not finish in time; closing their connections",
        "A server did not end in time; its requests are cut off",
    ] {
        assert_eq!(node.events(problem), Vec::<serde_json::Value>::new());
    }
    let end = loop {
        if let Err(status) = stream.next().await.unwrap() {
            break status;
        }
    };
    assert_eq!(end.code(), tonic::Code::Unavailable, "{end}");
    let mut text = String::new();
    while let Some(part) = sse.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&part).unwrap());
    }
    assert!(
        text.contains("event: error\ndata: {\"error\":\"watch interrupted\""),
        "{text}"
    );

    node.start_again().await;
    // The state that was read at the start may hold more than the watcher was told: then it says so.
    let mut client = node.grpc().await;
    let mut stream = until("the watch goes on", async || {
        match client.watch(after(last)).await {
            Ok(stream) => Some(stream.into_inner()),
            Err(status) => {
                assert_eq!(status.code(), tonic::Code::OutOfRange, "{status}");
                let oldest = status.metadata().get("oldest-index").unwrap();
                last = oldest.to_str().unwrap().parse().unwrap();
                None
            }
        }
    })
    .await;
    node.register_nodes(4).await;
    loop {
        let event = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
        let event = event.unwrap().unwrap();
        if event.kind == "node" {
            assert_eq!(
                (event.node_id.as_str(), event.change.as_str()),
                ("n4", "registered")
            );
            break;
        }
    }
    assert_eq!(node.stop().await, Some(0));
}
