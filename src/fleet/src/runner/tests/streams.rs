//! Nodes whose heartbeats go over streams.

use tonic::Code;

use crate::operation::Operation;
use crate::runner::tests::start;
use crate::testing::fake_coordinator::FakeCoordinator;
use crate::testing::state::State;

const OPTIONS: [&str; 4] = ["--files-per-second", "0", "--streams", "2"];

fn beats_of(state: &State, id: &str) -> usize {
    state.calls_about(Operation::HeartbeatStream, id).len()
}

#[tokio::test]
async fn many_nodes_beat_over_few_streams() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &[&OPTIONS[..], &["--nodes", "3000"]].concat());
    coordinator
        .until("every node has beaten twice", |state| {
            state.nodes.len() == 3_000 && {
                let beats = state.calls_of(Operation::HeartbeatStream).len();
                beats > 6_000 && state.nodes.values().all(|node| node.stats.is_some())
            }
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok && report.errors.is_empty(), "{report}");
    assert_eq!(report.nodes.active, 3_000);
    let windows = report
        .latencies
        .iter()
        .find(|line| line.operation == "HeartbeatStream")
        .unwrap();
    assert!(windows.latency.count > 0, "{report}");
    coordinator.with(|state| {
        assert!(state.calls_of(Operation::NodeHeartbeat).is_empty());
        assert_eq!(state.calls_about(Operation::HeartbeatStream, "a stream").len(), 2);
        assert!(
            (2..=1_000).contains(&state.largest_window),
            "{}",
            state.largest_window
        );
    });
}

#[tokio::test]
async fn a_forgotten_node_registers_again() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &OPTIONS);
    coordinator
        .until("all are registered", |state| state.nodes.len() == 4)
        .await;
    coordinator.with(|state| state.nodes.remove("fleet-0003"));
    coordinator
        .until("it is back and beats", |state| {
            state
                .nodes
                .get("fleet-0003")
                .is_some_and(|node| node.stats.is_some())
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.counts.registered_again, 1);
    assert!(report.ok, "{report}");
}

#[tokio::test]
async fn tasks_that_come_with_an_acknowledgement_are_carried_out() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &OPTIONS);
    coordinator
        .until("all are registered", |state| state.nodes.len() == 4)
        .await;
    coordinator.with(|state| {
        let chunk = state.chunks.entry("chunk".to_owned()).or_default();
        chunk.stored.insert("fleet-0002".to_owned());
        state.order_delete("fleet-0002", "chunk");
        state.order_replicate("fleet-0001", "chunk", &["stranger"]);
    });
    coordinator
        .until("the copy is made and the other deleted", |state| {
            let stored: Vec<_> = state.chunks["chunk"].stored.iter().collect();
            stored == ["fleet-0001"]
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
}

#[tokio::test]
async fn a_stream_that_breaks_is_opened_again_and_no_node_is_lost() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &OPTIONS);
    let all_beat = |state: &State, than: usize| {
        state.nodes.len() == 4 && state.nodes.keys().all(|id| beats_of(state, id) > than)
    };
    coordinator.until("all beat", |state| all_beat(state, 1)).await;
    let before = coordinator.with(|state| {
        // The next window of each stream breaks it, and the first attempts to open another fail.
        state
            .failing
            .insert(Operation::HeartbeatStream, (6, Code::Unavailable));
        state.nodes.keys().map(|id| beats_of(state, id)).max().unwrap()
    });
    coordinator
        .until("all beat again", |state| all_beat(state, before + 8))
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
    assert_eq!((report.nodes.active, report.counts.registered_again), (4, 0));
    assert_eq!(report.errors[0].code.name(), "UNAVAILABLE", "{report}");
}
