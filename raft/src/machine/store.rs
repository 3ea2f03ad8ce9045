//! The state, shared between the one who applies, those who read, and the worker that writes it to disk.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use zephyrfs_core::engine::Events;
use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;

use super::events::{Ring, TooOld};
use super::job::Job;
use super::progress::{Ended, Progress};
use super::snapshot::{Inbox, Incoming, ReceiveError, SnapshotId, SnapshotView};
use crate::error::StoreError;
use crate::queue::Queue;
use crate::state::{Header, State};
use crate::workers::Workers;

/// The state of one replica.
pub(crate) struct StateStore {
    state: RwLock<State>,
    jobs: Queue<Job>,
    failed: Mutex<Option<String>>,
    progress: Progress,
    /// Added to under the lock of the state, so that whoever finds an index applied finds its changes.
    events: Ring,
    path: String,
    workers: Arc<dyn Workers>,
    inbox: Arc<Inbox>,
}

/// Why it is not said what changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// That is forgotten.
    #[error("what changed up to index {oldest} is forgotten")]
    TooOld {
        /// The least index that can be gone on from.
        oldest: AppliedIndex,
    },
    /// Nothing more is applied.
    #[error(transparent)]
    Stopped(#[from] StoreError),
}

/// The rows of a dump, batch by batch; an empty one is the last.
pub(crate) type RowBatches = mpsc::Receiver<Result<Vec<Row>, StoreError>>;

/// Rows of a dump travel in batches of so many, at most four of them at a time.
const DUMP_BATCH: usize = 256;
const DUMP_BATCHES: usize = 4;

/// A commit is asked for when so much was applied since the last one.
const FLUSH_BYTES: usize = 8 << 20;

/// Applying waits for the disk only when so much is in memory while the commit before is still under way: memory is
/// bounded even if the disk cannot keep up.
const MAX_UNFLUSHED_BYTES: usize = 32 << 20;

impl StateStore {
    /// A state that is kept in the database at `path`.
    pub(super) fn new(state: State, path: String, workers: Arc<dyn Workers>, inbox: Inbox) -> Self {
        let applied = state.header().applied.map_or(0, |applied| applied.index);
        Self {
            progress: Progress::default(),
            events: Ring::starting_at(applied),
            state: RwLock::new(state),
            jobs: Queue::default(),
            failed: Mutex::new(None),
            path,
            workers,
            inbox: Arc::new(inbox),
        }
    }

    /// The state, to read.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, to change.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last index that was applied.
    pub(crate) fn applied_index(&self) -> u64 {
        self.read().header().applied.map_or(0, |applied| applied.index)
    }

    /// Tells those who wait for an index how far applying is.
    pub(super) fn tell_applied(&self) {
        self.progress.reached(self.applied_index());
    }

    /// Waits until the log is applied up to an index.
    ///
    /// # Errors
    /// [`StoreError::Stopped`]: it never will be.
    pub(crate) async fn until_applied(&self, index: u64) -> Result<(), StoreError> {
        let reached = self.progress.until(index, || self.applied_index()).await;
        reached.map_err(|Ended| self.stopped())
    }

    /// What changed lately.
    pub(super) const fn ring(&self) -> &Ring {
        &self.events
    }

    /// What changed after an index, about `limit` changes of it; waits until something has, or that index is applied.
    ///
    /// # Errors
    /// [`WatchError`].
    pub(crate) async fn events(&self, after: AppliedIndex, limit: usize) -> Result<Events, WatchError> {
        let mut after = after;
        loop {
            let events = self.events_now(after, limit)?;
            if !events.groups.is_empty() {
                return Ok(events);
            }
            after = events.through;
            self.until_applied(after.get().saturating_add(1)).await?;
        }
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// [`WatchError::TooOld`].
    pub(crate) fn events_now(&self, after: AppliedIndex, limit: usize) -> Result<Events, WatchError> {
        let events = self.events.after(after, limit);
        events.map_err(|TooOld { oldest }| WatchError::TooOld { oldest })
    }

    /// What to call the database in messages.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where what reads or writes a disk runs.
    pub(super) fn workers(&self) -> Arc<dyn Workers> {
        Arc::clone(&self.workers)
    }

    pub(super) const fn jobs(&self) -> &Queue<Job> {
        &self.jobs
    }

    /// Asks for a durable commit soon.
    pub(crate) fn flush_soon(&self) {
        // A closed queue means that the last commit is under way or done.
        drop(self.jobs.push(Job::Flush(None)));
    }

    /// Waits until everything applied so far is durable.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.run(|tell| Job::Flush(Some(tell))).await
    }

    /// Sees to it that what was applied does not fill the memory: asks for a commit, or waits for one.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) async fn bound_memory(&self) -> Result<(), StoreError> {
        let (unflushed, flushing) = {
            let state = self.read();
            (state.unflushed_bytes(), state.is_flushing())
        };
        if unflushed > MAX_UNFLUSHED_BYTES {
            return self.flush().await;
        }
        if unflushed > FLUSH_BYTES && !flushing {
            self.flush_soon();
        }
        Ok(())
    }

    /// Replaces the state by another, durably.
    ///
    /// # Errors
    /// Why it could not be written; the old state is still there then.
    pub(crate) async fn install(&self, snapshot: SnapshotView, header: Header) -> Result<(), StoreError> {
        self.run(|tell| Job::Install(Box::new(snapshot), Box::new(header), tell))
            .await
    }

    /// Begins to receive a snapshot that another replica sends, or goes on with one that was cut off: see
    /// [`Incoming::position`].
    ///
    /// # Errors
    /// [`ReceiveError`]; the state is as it was.
    pub(crate) async fn receive(&self, id: SnapshotId) -> Result<Incoming, ReceiveError> {
        let raft_id = self.read().header().raft_id;
        self.inbox.begin(id, raft_id).await
    }

    async fn run(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<(), StoreError>>) -> Job,
    ) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        self.jobs.push(job(tell)).map_err(|_| self.stopped())?;
        told.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    fn stopped(&self) -> StoreError {
        let reason = self.failure().unwrap_or_else(|| "the state is closed".to_owned());
        StoreError::Stopped(reason)
    }

    /// Something failed, and why: nothing is written to disk from now on.
    pub(crate) fn fail(&self, reason: String) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        self.progress.end();
    }

    /// Why the state cannot be written any more, if that is so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes everything and closes the database.
    ///
    /// # Errors
    /// Why something could not be written; the log still has it.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.progress.end();
        let closed = self.run(Job::Close).await;
        if let Err(error) = self.inbox.close() {
            tracing::warn!(%error, "What was received of a snapshot is not deleted; the next start tries again");
        }
        closed
    }

    /// Every row of the last durable state, in batches, read by a worker of its own; first its header.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn dump(&self) -> Result<(Header, RowBatches), StoreError> {
        let state = State::open(self.read().base(), &self.path)?;
        let header = state.header().clone();
        let (mut send, receive) = mpsc::channel(DUMP_BATCHES);
        let work = async move {
            if let Err(error) = send_rows(&state, &mut send).await {
                // The reader may have had enough.
                drop(send.send(Err(error)).await);
            }
        };
        self.workers
            .start("dump", Box::pin(work))
            .map_err(|source| StoreError::File {
                doing: "start reading",
                path: self.path.clone(),
                source,
            })?;
        Ok((header, receive))
    }
}

/// Sends every row in batches, and an empty batch at the end: without it the dump is not whole.
async fn send_rows(
    state: &State,
    send: &mut mpsc::Sender<Result<Vec<Row>, StoreError>>,
) -> Result<(), StoreError> {
    let mut batch = Vec::with_capacity(DUMP_BATCH);
    for row in state.rows_of_all_kinds()? {
        batch.push(row?);
        if batch.len() == DUMP_BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(DUMP_BATCH));
            if send.send(Ok(full)).await.is_err() {
                return Ok(());
            }
        }
    }
    for last in [batch, Vec::new()] {
        if send.send(Ok(last)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
