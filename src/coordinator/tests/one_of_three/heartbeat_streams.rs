//! What a window of heartbeats comes to where there is no leader.

use futures::FutureExt as _;
use zephyrfs_coordinator::service::{HeartbeatReport, ReportedStats};
use zephyrfs_proto::coordinator as wire;
use zephyrfs_proto::coordinator::heartbeat_result::Outcome;

use crate::replica::Replica;

fn beat(id: &str) -> wire::NodeHeartbeatRequest {
    wire::NodeHeartbeatRequest {
        node_id: id.to_owned(),
        stats: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_leader_active_nodes_are_heard_and_the_others_are_to_beat_again() {
    let replica = Replica::start().await;
    for id in ["active", "silent"] {
        let registration = wire::RegisterNodeRequest {
            node_id: id.to_owned(),
            addresses: vec![format!("{id}:9000")],
            ..wire::RegisterNodeRequest::default()
        };
        replica.grpc().register_node(registration).await.unwrap();
    }
    replica.expire("silent").await;
    replica.part.play(|script| script.leader = None);
    let window = wire::HeartbeatWindow {
        sequence: 1,
        beats: vec![beat("stranger"), beat("active"), beat("silent")],
    };
    let windows = tokio_stream::once(window);
    let mut acks = replica
        .grpc()
        .heartbeat_stream(windows)
        .await
        .unwrap()
        .into_inner();
    let ack = acks.message().await.unwrap().expect("an acknowledgement");
    let told: Vec<_> = ack
        .results
        .iter()
        .map(|result| (result.position, result.outcome(), result.message.as_str()))
        .collect();
    let why = "there is no leader";
    assert_eq!(told[0], (0, Outcome::Again, why));
    assert_eq!((told[1].0, told[1].1, told.len()), (2, Outcome::Again, 2));
    assert!(acks.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn active_nodes_are_heard_at_once_whatever_holds_up_the_others() {
    let replica = Replica::start().await;
    replica.fill().await;
    replica.part.play(|script| {
        script.leader = None;
        script.waits_for_leader = true;
    });
    let report = |id: &str| HeartbeatReport {
        node_id: id.to_owned(),
        stats: Some(ReportedStats {
            uptime_seconds: 77,
            ..ReportedStats::default()
        }),
    };
    let window = vec![report("stranger"), report("n")];
    // Its client resets the stream while the stranger is asked for.
    assert!(replica.service.heartbeats(window, None).now_or_never().is_none());
    let node = replica.get("/nodes/n?consistency=local").await;
    assert_eq!(node.body["stats"]["uptime_seconds"], 77, "{node:?}");
}
