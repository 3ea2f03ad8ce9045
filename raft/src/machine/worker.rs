//! The worker that writes the state to disk.

use std::sync::Arc;

use futures::channel::oneshot;
use redb::Database;

use super::below::LogBelow;
use super::job::{Job, answer};
use super::snapshot::{Received, SnapshotView};
use super::store::StateStore;
use crate::error::StoreError;
use crate::kv::{Base, Layer, Retirement, Stamp};
use crate::state::{Header, State};

/// Writes the state.
pub(super) struct Worker {
    database: Database,
    /// Where the database goes when another takes its place.
    retirement: Retirement,
    store: Arc<StateStore>,
    log: Arc<dyn LogBelow>,
}

/// The state that was, on its way out. Dropping it may close a large file that has no name any more.
struct Replaced {
    _state: State,
    _retirement: Retirement,
}

impl Worker {
    pub(super) const fn new(
        database: Database,
        retirement: Retirement,
        store: Arc<StateStore>,
        log: Arc<dyn LogBelow>,
    ) -> Self {
        Self {
            database,
            retirement,
            store,
            log,
        }
    }

    /// Writes until there is nothing more to do, or a write fails.
    pub(super) async fn run(mut self) {
        let store = Arc::clone(&self.store);
        let _told = scopeguard::guard_on_unwind((), |()| {
            store.fail("the thread that writes the state ended in a panic".to_owned());
            store.jobs().close();
        });
        while let Some(jobs) = self.store.jobs().take_all(true).await {
            let mut flushes = Vec::new();
            let mut installs = Vec::new();
            let mut close = None;
            for job in jobs {
                match job {
                    Job::Flush(tell) => flushes.push(tell),
                    Job::Close(tell) => close = Some(tell),
                    Job::Install(snapshot, header, tell) => installs.push((*snapshot, *header, tell)),
                }
            }
            // All that waits for a flush waits for the same one.
            let nothing_to_flush = flushes.is_empty() && close.is_none();
            let mut done = if nothing_to_flush {
                Ok(())
            } else {
                self.flush().await
            };
            self.note_failure(&done);
            let reason = done.as_ref().err().map(ToString::to_string);
            flushes
                .into_iter()
                .flatten()
                .for_each(|tell| answer(tell, reason.as_deref()));
            for (snapshot, header, tell) in installs {
                let installed = match done {
                    Ok(()) => self.install(snapshot, &header).await,
                    Err(error) => Err(error),
                };
                let replaced;
                (replaced, done) = match installed {
                    Ok(replaced) => (Some(replaced), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                self.note_failure(&done);
                let reason = done.as_ref().err().map(ToString::to_string);
                answer(tell, reason.as_deref());
                // Nobody waits for that.
                drop(replaced);
            }
            if done.is_err() || close.is_some() {
                let reason = done.err().map(|error| error.to_string());
                self.end(close, reason.as_deref()).await;
                return;
            }
        }
    }

    /// From now on nothing is written any more, if something went wrong.
    fn note_failure(&self, done: &Result<(), StoreError>) {
        if let Err(error) = done
            && self.store.failure().is_none()
        {
            tracing::error!(%error, "Writing the state failed; this replica stops");
            self.store.fail(error.to_string());
        }
    }

    /// Lets the database go, and answers everybody who still waits.
    async fn end(self, close: Option<oneshot::Sender<Result<(), StoreError>>>, reason: Option<&str>) {
        let Self {
            database,
            retirement: _,
            store,
            log,
        } = self;
        store.jobs().close();
        // Whoever waits for the end may open the files again at once.
        drop(database);
        drop(log);
        if let Some(tell) = close {
            answer(tell, reason);
        }
        while let Some(jobs) = store.jobs().take_all(true).await {
            jobs.into_iter()
                .for_each(|job| job.refuse(reason.unwrap_or("the state is closed")));
        }
    }

    /// What a failure left half done in memory must not reach the disk: the log makes it again.
    fn refuse_after_failure(&self) -> Result<(), StoreError> {
        match self.store.failure() {
            Some(reason) => Err(StoreError::Stopped(reason)),
            None => Ok(()),
        }
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.refuse_after_failure()?;
        let frozen = self.store.write().freeze()?;
        if let Some(layer) = frozen {
            // After the freeze: only then has the log been handed everything that the layer is made of.
            self.log.until_durable().await?;
            Base::commit(&self.database, &layer)?;
            let base = self.last()?;
            self.store.write().flushed(base);
        }
        Ok(())
    }

    async fn install(&mut self, snapshot: SnapshotView, header: &Header) -> Result<Replaced, StoreError> {
        self.refuse_after_failure()?;
        // Entries that contradict the snapshot are truncated before it is installed.
        self.log.until_durable().await?;
        match snapshot.into_content() {
            (_, Some(received)) => self.promote(received),
            (base, None) => self.copy(&base, header),
        }
    }

    /// Puts a file in the place of the state's. Milliseconds, however large it is: applying waits for this.
    fn promote(&mut self, received: Received) -> Result<Replaced, StoreError> {
        received.promote()?;
        let Received {
            state,
            database,
            retirement,
            ..
        } = received;
        let old_database = std::mem::replace(&mut self.database, database);
        let old_retirement = std::mem::replace(&mut self.retirement, retirement);
        // Whoever reads the state that was, as a dump does, reads it to the end.
        old_retirement.keep(old_database);
        Ok(self.replace(*state, old_retirement))
    }

    /// Copies all rows, for a view of a database that stays with somebody else.
    fn copy(&self, base: &Base, header: &Header) -> Result<Replaced, StoreError> {
        let mut stamp = Layer::default();
        header.stamp(&mut stamp)?;
        Base::replace(&self.database, base, &stamp)?;
        let state = State::open(Arc::new(self.last()?), self.store.path())?;
        Ok(self.replace(state, self.retirement.clone()))
    }

    /// Gives the readers another state.
    fn replace(&self, mut state: State, retirement: Retirement) -> Replaced {
        let mut current = self.store.write();
        state.follow(&current);
        let applied = state.header().applied.map_or(0, |applied| applied.index);
        let replaced = std::mem::replace(&mut *current, state);
        self.store.ring().start_at(applied);
        Replaced {
            _state: replaced,
            _retirement: retirement,
        }
    }

    fn last(&self) -> Result<Base, StoreError> {
        Base::last_until(&self.database, &self.retirement)
    }
}
