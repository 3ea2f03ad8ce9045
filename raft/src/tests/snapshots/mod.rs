//! Snapshots: sending one, receiving it, putting it in the place of the state.

mod install;
mod pace;
mod power;
mod refused;
mod transfer;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use openraft::TokioRuntime;
use zephyrfs_core::store::RowStore;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Context, Dumper, Envelope, Proposal, decide};

use crate::disk::Disk;
use crate::kv::Table;
use crate::machine::{
    Incoming, Machine, NoLog, Part, Position, ReceiveError, SnapshotId, SnapshotView, StateStore, open_state,
};
use crate::state::LogIdRecord;
use crate::workers::{Threads, Workers};

/// The raft ids of the replica that sends and the one that receives.
const SENDER: u64 = 11;
const RECEIVER: u64 = 22;

fn threads() -> Arc<dyn Workers> {
    Arc::new(Threads)
}

/// Opens the state of a replica.
fn open(disk: &impl Disk, raft_id: u64, workers: &Arc<dyn Workers>) -> Arc<StateStore> {
    let store = open_state(disk, 8 << 20, workers, Arc::new(NoLog)).unwrap();
    store.write().header_mut().raft_id = raft_id;
    store
}

/// Applies a proposal as the next entry.
fn apply(store: &StateStore, proposal: Proposal) {
    let mut state = store.write();
    let index = state.header().applied.map_or(0, |applied| applied.index) + 1;
    let envelope = Envelope {
        proposed_at: Timestamp::from_millis(1_000),
        proposal,
    };
    let view = state.load(&envelope.proposal.reads()).unwrap();
    let context = Context::following(Timestamp::EPOCH, AppliedIndex::new(index), envelope.proposed_at);
    let effects = decide(&envelope, &view, &context).unwrap();
    state.write(&effects.mutations).unwrap();
    state.header_mut().applied = Some(LogIdRecord { term: 1, index });
}

/// A state with three nodes and so many files of so many chunks each.
async fn fill(store: &StateStore, files: u32, chunks: u32) {
    for id in ["n1", "n2", "n3"] {
        apply(store, super::support::node(id));
    }
    for number in 0..files {
        apply(store, super::support::file(&format!("f{number}"), chunks));
    }
    store.flush().await.unwrap();
}

/// The last durable state.
fn view_of(store: &StateStore) -> SnapshotView {
    SnapshotView::last::<TokioRuntime>(store).unwrap().snapshot
}

fn id_of(view: &SnapshotView) -> SnapshotId {
    let header = view.header().unwrap();
    SnapshotId {
        sender: header.raft_id,
        applied: header.applied,
    }
}

async fn parts_after(view: &SnapshotView, after: Option<Position>) -> Vec<Part> {
    let parts = view.parts(after).unwrap();
    parts.map(|part| part.unwrap()).collect().await
}

/// Gives parts to a receiver, up to and with the end.
async fn give(mut incoming: Incoming, parts: Vec<Part>) -> Result<SnapshotView, ReceiveError> {
    for part in parts {
        match part {
            Part::Rows(bytes) => incoming.take(bytes).await?,
            Part::End(bytes) => return incoming.finish(bytes).await,
        }
    }
    panic!("there is no end");
}

/// Sends a snapshot from one replica to another, and installs it.
async fn send(view: &SnapshotView, to: &StateStore) {
    let incoming = to.receive(id_of(view)).await.unwrap();
    assert_eq!(incoming.position(), None);
    let snapshot = give(incoming, parts_after(view, None).await).await.unwrap();
    install(snapshot, to).await;
}

async fn install(snapshot: SnapshotView, to: &StateStore) {
    let header = snapshot.header().unwrap();
    assert_eq!(
        header.raft_id, RECEIVER,
        "it carries the id of the replica that received it"
    );
    to.install(snapshot, header).await.unwrap();
}

/// Every row of a view as it lies in the tables, without the header, which differs by the replica.
fn content(view: &SnapshotView) -> Content {
    let mut rows = BTreeMap::new();
    for table in Table::ALL.into_iter().filter(|&table| table != Table::Meta) {
        let mut put = |key: &[u8], value: &[u8]| {
            rows.insert((table.name(), key.to_vec()), value.to_vec());
            true
        };
        view.base().visit_after(table, None, &mut put).unwrap();
    }
    rows
}

/// Table and key of every row, and its value.
type Content = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// The digest of all rows of a state, as the rules see them, and its totals and index.
fn digest(store: &StateStore) -> String {
    let state = store.read();
    let mut dumper = Dumper::default();
    state.dump(&mut |row| dumper.add(&row).is_ok()).unwrap();
    let header = state.header();
    format!("{} {:?} {:?}", dumper.digest(), header.applied, header.totals)
}

type TestMachine = Machine<TokioRuntime>;
