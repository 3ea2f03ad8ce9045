//! The worker that writes the state to disk.

use std::sync::Arc;

use futures::channel::oneshot;
use redb::Database;

use super::job::{Job, answer};
use super::store::StateStore;
use crate::error::StoreError;
use crate::kv::{Base, Layer, Stamp};
use crate::state::{Header, State};

/// Writes the state.
pub(super) struct Worker {
    database: Database,
    store: Arc<StateStore>,
}

impl Worker {
    pub(super) const fn new(database: Database, store: Arc<StateStore>) -> Self {
        Self { database, store }
    }

    /// Writes until there is nothing more to do, or a write fails.
    pub(super) async fn run(self) {
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
                    Job::Install(base, header, tell) => installs.push((base, *header, tell)),
                }
            }
            // All that waits for a flush waits for the same one.
            let nothing_to_flush = flushes.is_empty() && close.is_none();
            let mut done = if nothing_to_flush { Ok(()) } else { self.flush() };
            self.note_failure(&done);
            let reason = done.as_ref().err().map(ToString::to_string);
            flushes
                .into_iter()
                .flatten()
                .for_each(|tell| answer(tell, reason.as_deref()));
            for (base, header, tell) in installs {
                done = done.and_then(|()| self.install(&base, &header));
                self.note_failure(&done);
                let reason = done.as_ref().err().map(ToString::to_string);
                answer(tell, reason.as_deref());
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
        let Self { database, store } = self;
        store.jobs().close();
        // Whoever waits for the end may open the file again at once.
        drop(database);
        if let Some(tell) = close {
            answer(tell, reason);
        }
        while let Some(jobs) = store.jobs().take_all(true).await {
            jobs.into_iter()
                .for_each(|job| job.refuse(reason.unwrap_or("the state is closed")));
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        // What a failure left half done in memory must not reach the disk: the log makes it again.
        if let Some(reason) = self.store.failure() {
            return Err(StoreError::Stopped(reason));
        }
        let frozen = self.store.write().freeze()?;
        if let Some(layer) = frozen {
            Base::commit(&self.database, &layer)?;
            let base = Base::last(&self.database)?;
            self.store.write().flushed(base);
        }
        Ok(())
    }

    fn install(&self, base: &Base, header: &Header) -> Result<(), StoreError> {
        let mut stamp = Layer::default();
        header.stamp(&mut stamp)?;
        Base::replace(&self.database, base, &stamp)?;
        let mut state = State::open(Arc::new(Base::last(&self.database)?), self.store.path())?;
        let mut current = self.store.write();
        state.follow(&current);
        *current = state;
        Ok(())
    }
}
