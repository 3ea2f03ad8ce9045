//! A power cut right after a leader change, while the log on disk still has what the lost leader wrote.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use openraft::entry::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftStateMachine};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::EntryOf;
use openraft::{LogId, RaftLogReader};
use openraft_rt_sim::SimRuntime;
use zephyrfs_core::engine::Engine;

use super::power::PowerDisk;
use super::support::{options, timing};
use crate::engine::RaftEngine;
use crate::log::LogStore;
use crate::machine::{Machine, SnapshotView, StateStore, open_state};
use crate::types::{LeaderTerm, Types};
use crate::workers::{Tasks, Work, Workers};

type Entry = EntryOf<Types<SimRuntime>>;

fn log_id(term: u64, index: u64) -> LogId<LeaderTerm> {
    LogId {
        leader_id: LeaderTerm::new(term),
        index,
    }
}

fn blanks(term: u64, indexes: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    let blank = |index| Entry {
        log_id: log_id(term, index),
        payload: EntryPayload::Blank,
    };
    indexes.map(blank).collect()
}

/// The log's writer starts only when it is let.
#[derive(Default)]
struct HeldLog(Mutex<Option<Work>>);

impl HeldLog {
    fn release(&self) {
        drop(SimRuntime::spawn(self.0.lock().unwrap().take().unwrap()));
    }
}

impl Workers for HeldLog {
    fn start(&self, name: &'static str, work: Work) -> std::io::Result<()> {
        if name == "raft-log" {
            *self.0.lock().unwrap() = Some(work);
            return Ok(());
        }
        Tasks::<SimRuntime>::default().start(name, work)
    }
}

/// A replica without Raft above it.
struct Replica {
    log: LogStore<SimRuntime>,
    store: Arc<StateStore>,
    machine: Machine<SimRuntime>,
}

impl Replica {
    fn open(disk: &PowerDisk, log_writer: &HeldLog) -> Self {
        let workers: Arc<dyn Workers> = Arc::new(Tasks::<SimRuntime>::default());
        let log = LogStore::open(disk, log_writer).unwrap();
        let store = open_state(disk, 1 << 20, &workers, Arc::new(log.clone())).unwrap();
        let raft_id = log.identity().raft_id;
        store.write().header_mut().raft_id = raft_id;
        let machine = Machine::new(Arc::clone(&store), Arc::default(), raft_id);
        Self { log, store, machine }
    }

    async fn append(&mut self, entries: Vec<Entry>) {
        self.log.append(entries, IOFlushed::noop()).await.unwrap();
    }

    /// Applies what the log has up to an index, from memory.
    async fn apply(&mut self, indexes: std::ops::RangeInclusive<u64>) {
        let mut reader = self.log.get_log_reader().await;
        let entries = reader.try_get_log_entries(indexes).await.unwrap();
        let entries = futures::stream::iter(entries).map(|entry| Ok((entry, None)));
        self.machine.apply(entries).await.unwrap();
    }
}

/// A replica whose disk has entries 0 to 10 of the first leader, six of them applied; then another leader's, of which 6 to
/// 8 are committed, and applied, with the log's writer held up.
async fn overtaken(disk: &PowerDisk) -> (Replica, HeldLog) {
    let (mut replica, writer) = contradicted(disk).await;
    replica.append(blanks(2, 6..=8)).await;
    replica.log.save_committed(Some(log_id(2, 8))).await.unwrap();
    replica.apply(6..=8).await;
    (replica, writer)
}

/// The same, but that only the truncation has come of the other leader.
async fn contradicted(disk: &PowerDisk) -> (Replica, HeldLog) {
    let writer = HeldLog::default();
    let mut replica = Replica::open(disk, &writer);
    writer.release();
    replica.append(blanks(1, 0..=10)).await;
    replica.apply(0..=5).await;
    replica.store.close().await.unwrap();
    replica.log.close().await;
    drop(replica);

    let writer = HeldLog::default();
    let mut replica = Replica::open(disk, &writer);
    replica.log.truncate_after(Some(log_id(1, 5))).await.unwrap();
    (replica, writer)
}

/// Starts a replica on the disk, as the process does, and says how far its state is.
async fn restart(disk: PowerDisk) -> Result<u64, String> {
    let options = crate::engine::Options {
        workers: Arc::new(Tasks::<SimRuntime>::default()),
        ..options(disk, timing())
    };
    let engine = RaftEngine::<SimRuntime, _>::start(options)
        .await
        .map_err(|error| error.to_string())?;
    let applied = engine.status().applied.get();
    engine.stop().await.unwrap();
    Ok(applied)
}

#[test]
fn the_state_on_disk_never_contradicts_the_log_on_disk() {
    for seed in 0..20 {
        SimRuntime::with_seed(seed).block_on(async {
            let disk = PowerDisk::default();
            let (replica, _held) = overtaken(&disk).await;
            replica.store.flush_soon();
            SimRuntime::sleep(Duration::from_secs(1)).await;
            let restarted = restart(disk.cut(seed)).await;
            assert_eq!(restarted, Ok(5), "seed {seed}: the log has no more");
        });
    }
}

#[test]
fn a_snapshot_on_disk_never_contradicts_the_log_on_disk() {
    for seed in 0..10 {
        SimRuntime::with_seed(seed).block_on(async {
            let disk = PowerDisk::default();
            let (mut replica, _held) = contradicted(&disk).await;
            let writer = HeldLog::default();
            let mut sender = Replica::open(&PowerDisk::default(), &writer);
            writer.release();
            sender.append([blanks(1, 0..=5), blanks(2, 6..=8)].concat()).await;
            sender.apply(0..=8).await;
            sender.store.flush().await.unwrap();
            let snapshot = SnapshotView::last::<SimRuntime>(&sender.store).unwrap();
            assert_eq!(snapshot.meta.last_log_id, Some(log_id(2, 8)));
            drop(SimRuntime::spawn(async move {
                replica
                    .machine
                    .install_snapshot(&snapshot.meta, snapshot.snapshot)
                    .await
            }));
            SimRuntime::sleep(Duration::from_secs(1)).await;
            let restarted = restart(disk.cut(seed)).await;
            assert_eq!(restarted, Ok(5), "seed {seed}: the log has no more");
        });
    }
}

#[test]
fn the_state_is_written_once_the_log_is() {
    SimRuntime::with_seed(1).block_on(async {
        let disk = PowerDisk::default();
        let (replica, writer) = overtaken(&disk).await;
        let flush = SimRuntime::spawn({
            let store = Arc::clone(&replica.store);
            async move { store.flush().await.unwrap() }
        });
        SimRuntime::sleep(Duration::from_secs(1)).await;
        writer.release();
        flush.await.unwrap();
        assert_eq!(restart(disk.cut(1)).await, Ok(8));
    });
}
