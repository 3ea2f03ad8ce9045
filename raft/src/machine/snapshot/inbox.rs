//! Where a snapshot arrives: one at a time, and a newer one takes the place of an older.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc;
use redb::Database;

use super::error::ReceiveError;
use super::incoming::{Incoming, Line};
use super::intake::Intake;
use super::part::SnapshotId;
use crate::disk::{DatabaseKind, Databases};
use crate::error::StoreError;
use crate::workers::Workers;

/// So many parts wait to be written, and one more is in the worker's hands.
pub(super) const PARTS_WAITING: usize = 4;

/// What arrives at one replica.
pub(crate) struct Inbox {
    pub(super) databases: Arc<dyn Databases>,
    pub(super) workers: Arc<dyn Workers>,
    /// Bytes of the state's pages that are kept in memory.
    pub(super) cache_size: usize,
    current: Mutex<Current>,
}

struct Current {
    /// Grows with every snapshot: an older one must not touch the files of a newer.
    number: u64,
    stage: Stage,
}

enum Stage {
    Empty,
    Receiving(SnapshotId, Line),
    /// It is complete, and waits to take the place of the state.
    Received,
    Closed,
}

impl Inbox {
    /// Nothing arrives yet.
    pub(crate) fn new(databases: Arc<dyn Databases>, workers: Arc<dyn Workers>, cache_size: usize) -> Self {
        let current = Current {
            number: 0,
            stage: Stage::Empty,
        };
        Self {
            databases,
            workers,
            cache_size,
            current: Mutex::new(current),
        }
    }

    /// Begins to receive a snapshot for the replica `raft_id`, or goes on with one that was cut off.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub(crate) async fn begin(
        self: &Arc<Self>,
        id: SnapshotId,
        raft_id: u64,
    ) -> Result<Incoming, ReceiveError> {
        let line = self.line(id, raft_id)?;
        Incoming::resume(line).await
    }

    /// The line to the worker that writes this snapshot.
    fn line(self: &Arc<Self>, id: SnapshotId, raft_id: u64) -> Result<Line, ReceiveError> {
        let mut current = self.current();
        match &current.stage {
            Stage::Closed => return Err(ReceiveError::Stopping),
            Stage::Received => return Err(ReceiveError::Busy),
            Stage::Receiving(other, line) if *other == id && !line.is_broken() => return Ok(line.clone()),
            Stage::Receiving(..) | Stage::Empty => {}
        }
        current.number += 1;
        current.stage = Stage::Empty;
        self.databases.discard_incoming()?;
        let (steps, taken) = mpsc::channel(PARTS_WAITING - 1);
        let line = Line::new(steps);
        let ticket = Ticket {
            inbox: Arc::clone(self),
            number: current.number,
        };
        current.stage = Stage::Receiving(id, line.clone());
        // A ticket that goes looks here.
        drop(current);
        let work = Intake::run(ticket, id, raft_id, taken, line.failure());
        self.workers
            .start("snapshot", Box::pin(work))
            .map_err(|source| StoreError::File {
                doing: "start the writer of",
                path: self.databases.database_name(DatabaseKind::Incoming),
                source,
            })?;
        Ok(line)
    }

    /// Nothing is received any more.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        let mut current = self.current();
        current.number += 1;
        current.stage = Stage::Closed;
        self.databases.discard_incoming()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to the file of one snapshot. When it goes, the file goes with it, unless a newer snapshot has it by then.
pub(super) struct Ticket {
    inbox: Arc<Inbox>,
    number: u64,
}

impl Ticket {
    /// Where it is from.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// What to call the file in messages.
    pub(super) fn path(&self) -> String {
        self.inbox.databases.database_name(DatabaseKind::Incoming)
    }

    /// Whether no newer snapshot came.
    pub(super) fn is_valid(&self) -> bool {
        self.inbox.current().number == self.number
    }

    /// Opens the file, empty or as it was left.
    pub(super) fn open(&self, cache_size: usize) -> Result<Database, ReceiveError> {
        let _current = self.valid()?;
        let kind = DatabaseKind::Incoming;
        Ok(self.inbox.databases.open_database(kind, cache_size)?)
    }

    /// The snapshot is complete: no other begins until it is installed or given up.
    pub(super) fn complete(&self) -> Result<(), ReceiveError> {
        self.valid()?.stage = Stage::Received;
        Ok(())
    }

    /// Makes the file the state's.
    pub(super) fn redeem(&self) -> Result<(), StoreError> {
        let mut current = self
            .valid()
            .map_err(|error| StoreError::Stopped(error.to_string()))?;
        self.inbox.databases.promote_incoming()?;
        current.number += 1;
        current.stage = Stage::Empty;
        Ok(())
    }

    fn valid(&self) -> Result<MutexGuard<'_, Current>, ReceiveError> {
        let current = self.inbox.current();
        if current.number == self.number {
            Ok(current)
        } else {
            Err(ReceiveError::Superseded)
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Ok(mut current) = self.valid() else { return };
        current.stage = Stage::Empty;
        if let Err(error) = self.inbox.databases.discard_incoming() {
            tracing::warn!(%error, "What was received of a snapshot is not deleted; the next start tries again");
        }
    }
}
