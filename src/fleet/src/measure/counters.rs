//! Counts of what nodes and clients have done in a run, added to from many tasks at once.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Counters {
    /// Heartbeats that were answered.
    pub heartbeats: Counter,
    /// Nodes that registered anew because the coordinator did not know them, or because they came back.
    pub registered_again: Counter,
    /// Files that the coordinator acknowledged.
    pub files_registered: Counter,
    /// Registered files of which every chunk is on a node and confirmed.
    pub files_confirmed: Counter,
    /// Registered files with a chunk that no node of the fleet could take.
    pub files_incomplete: Counter,
    /// Files that the coordinator would not register, or that were given up.
    pub files_failed: Counter,
    /// Copies of chunks that were uploaded to nodes.
    pub chunks_uploaded: Counter,
    /// Replicate tasks done and confirmed.
    pub tasks_replicated: Counter,
    /// Delete tasks done and confirmed.
    pub tasks_deleted: Counter,
    /// Replicate tasks that named no node to copy from that answers and holds the chunk.
    pub tasks_without_source: Counter,
    /// Replicate tasks for which the node had no room.
    pub tasks_without_room: Counter,
    /// Entries of heartbeat replies that are no task.
    pub tasks_unreadable: Counter,
    /// Confirmations of tasks that the coordinator refused: the chunk is gone meanwhile.
    pub tasks_overtaken: Counter,
    /// Operations that failed for good: this makes the run a failure.
    pub definite_failures: Counter,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "documented at the fields of Counters")]
pub struct Counts {
    pub heartbeats: u64,
    pub registered_again: u64,
    pub files_registered: u64,
    pub files_confirmed: u64,
    pub files_incomplete: u64,
    pub files_failed: u64,
    pub chunks_uploaded: u64,
    pub tasks_replicated: u64,
    pub tasks_deleted: u64,
    pub tasks_without_source: u64,
    pub tasks_without_room: u64,
    pub tasks_unreadable: u64,
    pub tasks_overtaken: u64,
    pub definite_failures: u64,
}

impl Counters {
    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Counters {
            heartbeats,
            registered_again,
            files_registered,
            files_confirmed,
            files_incomplete,
            files_failed,
            chunks_uploaded,
            tasks_replicated,
            tasks_deleted,
            tasks_without_source,
            tasks_without_room,
            tasks_unreadable,
            tasks_overtaken,
            definite_failures,
        } = self;
        Counts {
            heartbeats: heartbeats.get(),
            registered_again: registered_again.get(),
            files_registered: files_registered.get(),
            files_confirmed: files_confirmed.get(),
            files_incomplete: files_incomplete.get(),
            files_failed: files_failed.get(),
            chunks_uploaded: chunks_uploaded.get(),
            tasks_replicated: tasks_replicated.get(),
            tasks_deleted: tasks_deleted.get(),
            tasks_without_source: tasks_without_source.get(),
            tasks_without_room: tasks_without_room.get(),
            tasks_unreadable: tasks_unreadable.get(),
            tasks_overtaken: tasks_overtaken.get(),
            definite_failures: definite_failures.get(),
        }
    }
}
