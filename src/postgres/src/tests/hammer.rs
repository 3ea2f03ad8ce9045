//! Two instances that write the same rows at the same time, and somebody who watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use zephyrfs_core::conformance::{invariants, sequences};
use zephyrfs_core::engine::{Engine, EngineError};
use zephyrfs_core::event::{Change, ChunkChanged, FileChanged, TaskChanged};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, TaskId};
use zephyrfs_core::row::{Replica, Row};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Proposal, Totals};

use super::support::{PATIENCE, database, eventually, leader, proposal, sql, start};
use super::usage::MISCOUNTED;
use crate::PostgresEngine;

/// So many hands work at the same time.
const HANDS: usize = 8;

/// So many random sequences are worked off by all of them.
const SEQUENCES: usize = 60;

/// The commands of random sequences, without those that hold text which PostgreSQL cannot.
fn commands() -> Vec<Proposal> {
    let mut runner = TestRunner::deterministic();
    let mut all = Vec::new();
    for _ in 0..SEQUENCES {
        let sequence = sequences().new_tree(&mut runner).unwrap().current();
        let each = sequence.steps().map(|(_, envelope)| envelope.proposal.clone());
        all.extend(each.filter(|proposal| !format!("{proposal:?}").contains("\\0")));
    }
    all
}

/// What somebody knows who was told of everything that changed.
#[derive(Debug, Default, PartialEq)]
struct Told {
    files: BTreeSet<FileId>,
    chunks: BTreeMap<ChunkId, Vec<Replica>>,
    tasks: BTreeMap<(NodeId, ChunkId), TaskId>,
}

impl Told {
    fn of_rows(rows: &[Row]) -> Self {
        let mut told = Self::default();
        for row in rows {
            match row {
                Row::File(id, _) => {
                    told.files.insert(id.clone());
                }
                Row::Chunk(id, chunk) => {
                    told.chunks.insert(id.clone(), chunk.replicas.clone());
                }
                Row::Task(node, chunk, task) => {
                    told.tasks.insert((node.clone(), chunk.clone()), task.id);
                }
                _ => {}
            }
        }
        told
    }

    /// Takes a change in, which must follow from what was known.
    fn take(&mut self, change: &Change) {
        match change {
            Change::File(id, FileChanged::Registered(_)) => {
                assert!(self.files.insert(id.clone()), "{change:?}")
            }
            Change::File(id, FileChanged::Deleted) => assert!(self.files.remove(id), "{change:?}"),
            Change::File(id, _) => assert!(self.files.contains(id), "{change:?}"),
            Change::Chunk(id, ChunkChanged::Created { replicas, .. }) => {
                let before = self.chunks.insert(id.clone(), replicas.to_vec());
                assert_eq!(before, None, "{change:?}");
            }
            Change::Chunk(id, ChunkChanged::Replicas { replicas }) => {
                let before = self.chunks.insert(id.clone(), replicas.to_vec());
                assert!(before.is_some(), "{change:?}");
            }
            Change::Chunk(id, ChunkChanged::Deleted) => {
                assert!(self.chunks.remove(id).is_some(), "{change:?}")
            }
            Change::Chunk(id, _) => assert!(self.chunks.contains_key(id), "{change:?}"),
            Change::Task(node, chunk, TaskChanged::Made { id, .. }) => {
                let before = self.tasks.insert((node.clone(), chunk.clone()), *id);
                assert_eq!(before, None, "{change:?}");
            }
            Change::Task(node, chunk, TaskChanged::Renewed { id, .. }) => {
                assert_eq!(
                    self.tasks.get(&(node.clone(), chunk.clone())),
                    Some(id),
                    "{change:?}"
                );
            }
            Change::Task(node, chunk, TaskChanged::Ended { id, .. }) => {
                let before = self.tasks.remove(&(node.clone(), chunk.clone()));
                assert_eq!(before, Some(*id), "{change:?}");
            }
            Change::Node(..) | Change::Cluster(_) => {}
        }
    }
}

/// Watches until `until`, in small bites.
async fn watch(
    engine: &PostgresEngine,
    after: AppliedIndex,
    until: AppliedIndex,
    told: &mut Told,
) -> AppliedIndex {
    let mut place = after;
    while place < until {
        let events = engine.events(place, 7, Duration::from_secs(1)).await.unwrap();
        for group in &events.groups {
            assert!(group.index > place, "{:?} after {place:?}", group.index);
            place = group.index;
            group.changes.iter().for_each(|change| told.take(change));
        }
        assert!(events.through >= place);
        place = events.through;
    }
    place
}

async fn rows(engine: &PostgresEngine) -> (AppliedIndex, Vec<Row>) {
    let mut rows = Vec::new();
    let mut take = |row| {
        rows.push(row);
        true
    };
    let index = engine.dump(&mut take).await.unwrap();
    (index, rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_instances_do_to_the_same_rows_is_as_if_done_one_after_the_other() {
    let url = database("hammer");
    let engines = [start(&url, "one").await, start(&url, "other").await];
    leader(&[&engines[0], &engines[1]]).await;
    let commands = Arc::new(commands());
    assert!(commands.len() > 1_000, "{} commands", commands.len());
    let hands = (0..HANDS).map(|hand| {
        let (engine, commands) = (Arc::clone(&engines[hand % 2]), Arc::clone(&commands));
        tokio::spawn(async move {
            let mut done = 0;
            // Neighbours in the sequences fall to different hands, which therefore meet at the same rows.
            for command in commands.iter().skip(hand).step_by(HANDS) {
                let own = Proposal {
                    idempotency: command.idempotency.clone(),
                    ..proposal(command.command.clone())
                };
                match engine.execute(own, PATIENCE).await {
                    Ok(_) => done += 1,
                    Err(EngineError::Rejected { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            done
        })
    });
    let hands: Vec<_> = hands.collect();
    // Somebody watches meanwhile at one instance, and somebody else looks again and again at the other.
    let mut told = Told::default();
    let mut place = AppliedIndex::new(0);
    let mut done = 0;
    for hand in hands {
        let known = engines[0].totals().index;
        place = watch(&engines[0], place, known, &mut told).await;
        let (_, rows) = rows(&engines[1]).await;
        if let Err(broken) = invariants::check(&rows) {
            panic!("in between: {broken}");
        }
        done += hand.await.unwrap();
    }
    assert!(done > 500, "{done} commands had an effect");
    let written: u64 = sql("hammer", "SELECT count(*) FROM events").parse().unwrap();
    eventually("every event has its place", || {
        engines[0].totals().index.get() == written + 1
    })
    .await;
    let (index, rows) = rows(&engines[1]).await;
    assert_eq!(index.get(), written + 1);
    watch(&engines[0], place, index, &mut told).await;
    assert_eq!(told, Told::of_rows(&rows));
    invariants::check(&rows).unwrap();
    let mut recount = Totals::default();
    rows.iter().for_each(|row| recount.count(row));
    assert_eq!(engines[0].totals().value, recount);
    assert_eq!(sql("hammer", MISCOUNTED), "");
    for engine in &engines {
        engine.stop().await;
    }
}
