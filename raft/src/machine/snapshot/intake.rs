//! The worker that writes a snapshot as it arrives, into a database of its own.

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};

use super::error::ReceiveError;
use super::inbox::Ticket;
use super::part::{Position, SnapshotId, unsound};
use super::rows::{Rows, read_end};
use super::view::{Received, SnapshotView};
use crate::error::Doing;
use crate::kv::{Base, Bulk, Layer, Retirement, Stamp};
use crate::state::State;

/// Pages are written once, in order: little is gained by keeping them.
const CACHE_BYTES: usize = 16 << 20;

/// What a connection asks for.
pub(super) struct Step {
    /// Which attempt asks. Late steps of an earlier one are nobody's any more.
    pub(super) attempt: u64,
    pub(super) task: Task,
}

/// What is to be done.
pub(super) enum Task {
    /// Say how far it is.
    Resume(oneshot::Sender<Option<Position>>),
    /// Write rows.
    Rows(Vec<u8>),
    /// Check that it is complete, and make it durable.
    Finish(Vec<u8>, oneshot::Sender<Box<SnapshotView>>),
}

/// A snapshot on its way.
pub(super) struct Intake {
    // Before the ticket: the database is closed before its file is deleted.
    bulk: Bulk,
    id: SnapshotId,
    raft_id: u64,
    at: Option<Position>,
    rows: u64,
    ticket: Ticket,
}

impl Intake {
    /// Takes steps until the snapshot is complete, something is wrong with it, or nobody is interested any more.
    pub(super) async fn run(
        ticket: Ticket,
        id: SnapshotId,
        raft_id: u64,
        mut steps: mpsc::Receiver<Step>,
        failure: Arc<OnceLock<String>>,
    ) {
        let fail = |error: &ReceiveError| {
            tracing::warn!(%error, sender = id.sender, "What was received of a snapshot is discarded");
            // The first reason is the one that counts.
            drop(failure.set(error.to_string()));
        };
        let mut intake = match Self::begin(ticket, id, raft_id) {
            Ok(intake) => intake,
            Err(error) => return fail(&error),
        };
        let mut attempt = 0;
        while let Some(step) = steps.next().await {
            if step.attempt < attempt {
                continue;
            }
            attempt = step.attempt;
            match step.task {
                // Whoever asked may be gone by now; the next attempt asks again.
                Task::Resume(tell) => drop(tell.send(intake.at.clone())),
                Task::Rows(part) => {
                    if let Err(error) = intake.take(&part) {
                        return fail(&error);
                    }
                }
                Task::Finish(end, tell) => {
                    match intake.finish(&end) {
                        // A snapshot that nobody waits for any more is deleted as it is dropped.
                        Ok(snapshot) => drop(tell.send(Box::new(snapshot))),
                        Err(error) => fail(&error),
                    }
                    return;
                }
            }
        }
    }

    fn begin(ticket: Ticket, id: SnapshotId, raft_id: u64) -> Result<Self, ReceiveError> {
        let bulk = Bulk::begin(ticket.open(CACHE_BYTES)?)?;
        Ok(Self {
            bulk,
            id,
            raft_id,
            at: None,
            rows: 0,
            ticket,
        })
    }

    fn take(&mut self, part: &[u8]) -> Result<(), ReceiveError> {
        if !self.ticket.is_valid() {
            return Err(ReceiveError::Superseded);
        }
        let Rows { rows, last } = Rows::read(part, self.id.digest(), self.at.as_ref())?;
        self.bulk.append(last.table, &rows)?;
        self.rows += rows.len() as u64;
        self.at = Some(last);
        Ok(())
    }

    fn finish(self, end: &[u8]) -> Result<SnapshotView, ReceiveError> {
        let Self {
            bulk,
            id,
            raft_id,
            at,
            rows,
            ticket,
        } = self;
        let claimed = read_end(end, at.map_or_else(|| id.digest(), |at| at.digest))?;
        if claimed != rows {
            return Err(unsound(format!("it has {rows} rows, and should have {claimed}")));
        }
        let path = ticket.path();
        let database = bulk.end()?;
        let mut header = State::header_of(&Arc::new(Base::last(&database)?), &path)?;
        if (header.raft_id, header.applied) != (id.sender, id.applied) {
            return Err(unsound(
                "its content is not of the replica and index that it claims",
            ));
        }
        header.raft_id = raft_id;
        let mut stamp = Layer::default();
        header.stamp(&mut stamp)?;
        // Durable with this, all of it, and not earlier.
        Base::commit(&database, &stamp)?;
        database.close().doing("close a snapshot")?;

        let inbox = ticket.inbox();
        let database = ticket.open(inbox.cache_size)?;
        let retirement = Retirement::default();
        let base = Arc::new(Base::last_until(&database, &retirement)?);
        let state = State::open(Arc::clone(&base), &path)?;
        let workers = Arc::clone(&inbox.workers);
        ticket.complete()?;
        let received = Received {
            state: Box::new(state),
            database,
            retirement,
            ticket,
        };
        Ok(SnapshotView::received(base, path, workers, received))
    }
}
