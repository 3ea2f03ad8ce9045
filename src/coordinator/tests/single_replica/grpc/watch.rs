//! Watching over gRPC.

use std::time::Duration;

use futures::StreamExt as _;
use tonic::{Code, Streaming};
use zephyrfs_proto::coordinator as wire;

use super::messages::{index_of, registration};
use crate::support::grpc::GrpcReplica;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn after(index: u64) -> wire::WatchRequest {
    wire::WatchRequest {
        after: Some(index),
        ..wire::WatchRequest::default()
    }
}

/// The next so many changes.
async fn take(stream: &mut Streaming<wire::WatchEvent>, count: usize) -> Vec<wire::WatchEvent> {
    let mut events = Vec::new();
    let reading = async {
        while events.len() < count {
            let event = stream.next().await.unwrap().unwrap();
            if !event.kind.is_empty() {
                events.push(event);
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_as_they_happen_and_again_after_an_index() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let response = client.watch(wire::WatchRequest::default()).await.unwrap();
    let now = index_of(&response);
    let mut stream = response.into_inner();
    let mut all = Vec::new();
    for id in ["n1", "n2", "n3"] {
        client.register_node(registration(id)).await.unwrap();
        all.extend(take(&mut stream, 1).await);
    }
    let first = wire::WatchEvent {
        resume_after: now + 1,
        index: now + 1,
        at: all[0].at,
        kind: "node".to_owned(),
        change: "registered".to_owned(),
        node_id: "n1".to_owned(),
        status: "active".to_owned(),
        ..wire::WatchEvent::default()
    };
    assert_eq!(all[0], first);
    assert!(all[0].at > 1_600_000_000);
    for (position, event) in all.iter().enumerate() {
        let mut again = client
            .watch(after(event.resume_after))
            .await
            .unwrap()
            .into_inner();
        let rest = take(&mut again, all.len() - position - 1).await;
        assert_eq!(rest, all[position + 1..]);
    }
    let only_n3 = wire::WatchRequest {
        ids: vec!["n3".to_owned()],
        ..after(now)
    };
    let mut stream = client.watch(only_n3).await.unwrap().into_inner();
    assert_eq!(take(&mut stream, 1).await[0].node_id, "n3");
    let unknown = wire::WatchRequest {
        kinds: vec!["disk".to_owned()],
        ..after(now)
    };
    let refused = client.watch(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("kinds[0]: "), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_the_server_does_not_hold_for_a_watch() {
    let deadline = Duration::from_millis(200);
    let replica = GrpcReplica::start_with(|options| options.default_deadline = deadline).await;
    let mut stream = replica
        .client()
        .watch(wire::WatchRequest::default())
        .await
        .unwrap()
        .into_inner();
    tokio::time::sleep(deadline * 4).await;
    replica.replica.register_nodes(&["n1"]).await;
    assert_eq!(take(&mut stream, 1).await[0].node_id, "n1");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_do_not_hold_up_the_end_of_the_server() {
    let replica = GrpcReplica::start_with(|options| options.drain = PATIENCE * 2).await;
    let mut stream = replica
        .client()
        .watch(wire::WatchRequest::default())
        .await
        .unwrap()
        .into_inner();
    stream.next().await.unwrap().unwrap();
    replica.replica.service.end_watches();
    tokio::time::timeout(PATIENCE, replica.stop())
        .await
        .unwrap()
        .unwrap();
    let end = stream.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
}
