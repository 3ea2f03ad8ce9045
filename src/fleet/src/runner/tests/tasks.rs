//! Tasks that are handed to nodes.

use std::collections::BTreeSet;

use tonic::Code;

use crate::operation::Operation;
use crate::runner::tests::start;
use crate::testing::fake_coordinator::FakeCoordinator;
use crate::testing::state::State;

#[tokio::test]
async fn tasks_are_carried_out_and_confirmed_once() {
    let coordinator = FakeCoordinator::start().await;
    // At this rate there is one file, at the start.
    let (running, shutdown) = start(
        &coordinator,
        &["--files-per-second", "0.001", "--chunks-per-file", "1"],
    );
    coordinator
        .until("the chunk is on three nodes", |state| {
            state.chunks.values().any(|chunk| chunk.stored.len() == 3)
        })
        .await;
    let (chunk, holders, other) = coordinator.with(|state| {
        let (id, chunk) = state.chunks.first_key_value().unwrap();
        let other = state
            .nodes
            .keys()
            .find(|node| !chunk.stored.contains(*node))
            .unwrap();
        (
            id.clone(),
            chunk.stored.iter().cloned().collect::<Vec<_>>(),
            other.clone(),
        )
    });

    coordinator.with(|state| state.order_replicate(&other, &chunk, &[&holders[0]]));
    coordinator
        .until("the copy is confirmed", |state| {
            state.chunks[&chunk].stored.contains(&other)
        })
        .await;
    coordinator
        .until("the node reports what it stores", |state| {
            state.nodes[&other]
                .stats
                .is_some_and(|stats| stats.storage_used == 4096 && stats.chunks_stored == 1)
        })
        .await;

    coordinator.with(|state| state.order_delete(&holders[0], &chunk));
    coordinator
        .until("the removal is confirmed", |state| {
            !state.chunks[&chunk].stored.contains(&holders[0])
        })
        .await;

    // The only source no longer holds the chunk: nothing can be copied, and nothing must be confirmed.
    coordinator.with(|state| state.order_replicate(&holders[0], &chunk, &[&holders[0]]));
    let beats = |state: &State| state.calls_about(Operation::NodeHeartbeat, &holders[0]).len();
    let before = coordinator.with(|state| beats(state));
    coordinator
        .until("the task was handed out three times", |state| {
            beats(state) >= before + 4
        })
        .await;
    coordinator.with(|state| assert!(!state.chunks[&chunk].stored.contains(&holders[0])));

    shutdown.finish.cancel();
    let report = running.await.unwrap().unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(
        (report.counts.tasks_replicated, report.counts.tasks_deleted),
        (1, 1)
    );
    assert_eq!(
        report.counts.tasks_without_source, 1,
        "the same task is reported once"
    );
}

#[tokio::test]
async fn a_confirmation_is_retried_until_it_is_answered() {
    let coordinator = FakeCoordinator::start().await;
    let (running, shutdown) = start(&coordinator, &["--files-per-second", "0"]);
    coordinator
        .until("all are registered", |state| state.nodes.len() == 4)
        .await;
    coordinator.with(|state| {
        state.chunks.entry("chunk".to_owned()).or_default();
        state
            .failing
            .insert(Operation::UpdateChunkLocations, (3, Code::Unavailable));
        state.order_delete("fleet-0001", "chunk");
    });
    coordinator
        .until("the removal got through", |state| {
            state.calls_about(Operation::UpdateChunkLocations, "chunk").len() == 4
        })
        .await;
    shutdown.finish.cancel();
    running.await.unwrap().unwrap();
    coordinator.with(|state| {
        let calls = state.calls_about(Operation::UpdateChunkLocations, "chunk");
        let keys: BTreeSet<_> = calls
            .iter()
            .map(|call| call.idempotency_key.clone().unwrap())
            .collect();
        assert_eq!(keys.len(), 1, "one write, however often it is sent");
    });
}
