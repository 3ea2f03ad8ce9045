//! What changed, as one replica tells it: from an index on, waiting for it, and after a restart.

use std::time::Duration;

use futures::FutureExt;
use tempfile::TempDir;
use zephyrfs_core::engine::{Engine, EngineError, Events, EventsError};
use zephyrfs_core::event::{Change, ChangeKind, ClusterChanged, NodeChanged};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::NodeStatus;
use zephyrfs_core::units::AppliedIndex;

use super::support::{PATIENCE, file, node, start, start_with};
use crate::disk::{Files, Memory};

const START: AppliedIndex = AppliedIndex::new(0);
const PLENTY: usize = 1_000_000;
const AT_ONCE: Duration = Duration::ZERO;

fn kinds(events: &Events) -> Vec<Vec<ChangeKind>> {
    let kinds = |changes: &[Change]| changes.iter().map(Change::kind).collect();
    events.groups.iter().map(|group| kinds(&group.changes)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_since_an_index_is_told_once_and_in_order() {
    let engine = start(Memory::default()).await;
    let begun = engine.totals().index;
    let mut indexes = Vec::new();
    for id in ["n1", "n2", "n3"] {
        indexes.push(engine.execute(node(id), PATIENCE).await.unwrap().index);
    }
    // Refused, and so no event; the same again, and so no event either.
    engine
        .execute(
            super::support::proposal(zephyrfs_core::Command::DeleteFile(
                zephyrfs_core::command::DeleteFile { file: "f".into() },
            )),
            PATIENCE,
        )
        .await
        .unwrap_err();
    engine.execute(node("n1"), PATIENCE).await.unwrap();
    let registered = engine.execute(file("f", 20), PATIENCE).await.unwrap().index;
    indexes.push(registered);

    let all = engine.events(begun, PLENTY, AT_ONCE).await.unwrap();
    let told: Vec<_> = all.groups.iter().map(|group| group.index).collect();
    assert_eq!(told, indexes);
    assert_eq!(all.through, registered);
    let status = NodeStatus::Active;
    let first = Change::Node(NodeId::from("n1"), NodeChanged::Registered { status });
    assert_eq!(*all.groups[0].changes, [first]);
    let mut of_file = vec![ChangeKind::File];
    of_file.extend([ChangeKind::Chunk; 20]);
    assert_eq!(kinds(&all)[3], of_file);
    for (position, index) in indexes.iter().enumerate() {
        let rest = engine.events(*index, PLENTY, AT_ONCE).await.unwrap();
        assert_eq!(rest.groups, all.groups[position + 1..]);
    }
    let mut after = begun;
    for group in &all.groups {
        let one = engine.events(after, 1, AT_ONCE).await.unwrap();
        assert_eq!(
            one.groups,
            std::slice::from_ref(group),
            "however many are asked for"
        );
        after = one.through;
    }
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_leader_and_member_are_told_of() {
    let engine = start(Memory::default()).await;
    let events = engine.events(START, PLENTY, AT_ONCE).await.unwrap();
    let changes: Vec<_> = events
        .groups
        .iter()
        .flat_map(|group| group.changes.to_vec())
        .collect();
    let term = engine.status().term;
    assert_eq!(changes, [Change::Cluster(ClusterChanged::TermBegan { term })]);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_yet_to_come_is_waited_for() {
    let engine = start(Memory::default()).await;
    let last = engine.execute(node("n1"), PATIENCE).await.unwrap().index;
    let nothing = engine
        .events(last, PLENTY, Duration::from_millis(20))
        .await
        .unwrap();
    assert_eq!((nothing.groups.len(), nothing.through), (0, last));
    let later = AppliedIndex::new(last.get() + 2);
    let mut waiting = std::pin::pin!(engine.events(later, PLENTY, PATIENCE));
    for id in ["n2", "n3"] {
        assert!(waiting.as_mut().now_or_never().is_none());
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    let awaited = engine.execute(node("n4"), PATIENCE).await.unwrap().index;
    let events = waiting.await.unwrap();
    assert_eq!(events.groups[0].index, awaited, "and nothing from before");
    engine.stop().await.unwrap();
    let ended = engine.events(events.through, PLENTY, PATIENCE).await;
    assert!(
        matches!(ended, Err(EventsError::Engine(EngineError::Unavailable { .. }))),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_again_after_a_start_is_told_again_as_it_was() {
    let directory = TempDir::new().unwrap();
    let disk = || Files::new(directory.path().join("coordinator.db")).unwrap();
    // Nothing is written to the state's database but at the start and at the end.
    let seldom = |timing: &mut crate::engine::Timing| timing.flush = Duration::from_secs(3_600);
    let engine = start_with(disk(), seldom).await;
    let begun = engine.totals().index;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    engine.execute(file("f", 20), PATIENCE).await.unwrap();
    let before = engine.events(begun, PLENTY, AT_ONCE).await.unwrap();
    // The process ends without writing its state: the log has everything.
    let state = std::fs::read(directory.path().join("coordinator.db")).unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    std::fs::write(directory.path().join("coordinator.db"), state).unwrap();

    let engine = start_with(disk(), seldom).await;
    let after = engine.events(begun, PLENTY, AT_ONCE).await.unwrap();
    assert_eq!(after.groups[..before.groups.len()], before.groups);
    engine.stop().await.unwrap();
    drop(engine);

    // What was written is not applied again, and so not told again.
    let engine = start_with(disk(), seldom).await;
    let forgotten = engine.events(begun, PLENTY, AT_ONCE).await;
    let Err(EventsError::TooOld { oldest }) = forgotten else {
        panic!("it cannot know: {forgotten:?}");
    };
    assert!(oldest >= before.through);
    assert!(engine.events(oldest, PLENTY, AT_ONCE).await.is_ok());
    engine.stop().await.unwrap();
}
