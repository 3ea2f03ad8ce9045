//! Nodes that register and beat, fail and come back.

use std::time::Duration;

use tonic::Code;

use crate::operation::Operation;
use crate::runner::tests::{complete, start};
use crate::testing::fake_coordinator::FakeCoordinator;
use crate::testing::state::State;

#[tokio::test]
async fn nodes_register_and_beat_until_they_are_told_to_stop() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &["--files-per-second", "0"]);
    coordinator
        .until("every node has beaten three times", |state| {
            state.nodes.len() == 4
                && state
                    .nodes
                    .keys()
                    .all(|id| state.calls_about(Operation::NodeHeartbeat, id).len() >= 3)
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.nodes.active, 4);
    assert!(
        report.counts.heartbeats >= 8 && report.errors.is_empty(),
        "{report}"
    );
    coordinator.with(|state| {
        let ids: Vec<_> = state.nodes.keys().map(String::as_str).collect();
        assert_eq!(ids, ["fleet-0001", "fleet-0002", "fleet-0003", "fleet-0004"]);
        assert_eq!(
            state.nodes["fleet-0002"].registration.capabilities["zone"],
            "zone-2"
        );
        let stats = state.nodes["fleet-0001"].stats.unwrap();
        assert_eq!((stats.storage_used, stats.storage_available), (0, 100 << 30));
    });
}

#[tokio::test]
async fn a_forgotten_node_registers_again() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &["--files-per-second", "0"]);
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
async fn a_failed_node_is_silent_and_returns_with_its_chunks() {
    let coordinator = FakeCoordinator::start().await;
    let failing = ["--fail", "1", "--fail-after", "2s", "--fail-for", "2s"];
    // Three nodes, so every chunk is on all of them; one file, at the start.
    let options = [
        &failing[..],
        &[
            "--files-per-second",
            "0.001",
            "--nodes",
            "3",
            "--chunks-per-file",
            "2",
        ],
    ]
    .concat();
    let (running, shutdown) = start(&coordinator, &options);
    let returned = |state: &State| {
        let twice = |id: &&String| state.calls_about(Operation::RegisterNode, id).len() == 2;
        state.nodes.keys().find(twice).cloned()
    };
    coordinator
        .until("a node is back and reports its chunks", |state| {
            let stats = returned(state).and_then(|id| state.nodes[&id].stats);
            stats.is_some_and(|stats| stats.chunks_stored == 2)
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
    assert_eq!((report.nodes.active, report.counts.registered_again), (3, 1));
    coordinator.with(|state| {
        let node = returned(state).unwrap();
        let back = state.calls_about(Operation::RegisterNode, &node)[1].at;
        let beats = state.calls_about(Operation::NodeHeartbeat, &node);
        let last = beats
            .iter()
            .map(|call| call.at)
            .filter(|at| *at < back)
            .max()
            .unwrap();
        assert!(
            back - last >= Duration::from_secs(1),
            "silent for {:?} only",
            back - last
        );
    });
}

#[tokio::test]
async fn a_zone_that_fails_for_good_gets_no_chunks() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| state.know("fleet-0002"));
    let options = [
        "--fail-zone",
        "zone-2",
        "--fail-after",
        "1ms",
        "--files-per-second",
        "0.001",
        "--nodes",
        "3",
    ];
    let (running, shutdown) = start(&coordinator, &options);
    coordinator
        .until("the file is on the nodes that are left", |state| {
            state.chunks.len() == 8 && state.chunks.values().all(|chunk| chunk.stored.len() >= 2)
        })
        .await;
    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.nodes.active, report.nodes.failed), (2, 1));
    coordinator.with(|state| {
        assert!(
            state
                .chunks
                .values()
                .all(|chunk| !chunk.stored.contains("fleet-0002"))
        );
    });
}

#[tokio::test]
async fn a_fleet_that_is_not_wanted_ends() {
    let coordinator = FakeCoordinator::start().await;
    coordinator.with(|state| {
        state
            .failing
            .insert(Operation::RegisterNode, (4, Code::InvalidArgument))
    });
    let report = complete(&coordinator, &[]).await;
    assert!(!report.ok);
    assert_eq!(report.nodes.rejected, 4);
}
