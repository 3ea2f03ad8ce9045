//! What changes, as it changes: a stream for each watcher, which can be taken up again at any replica.
//!
//! Nothing is kept for a watcher but a place in what the engine keeps anyway: what it has not taken is asked for again
//! when it takes more. One that is too slow finds its place gone, or is given up; either way it is told where to go on.

mod details;
mod feed;
mod filter;
mod recent;
mod watchers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use zephyrfs_core::units::AppliedIndex;

pub use details::{ChangeDetails, ChangedReplica, Watched};
pub(super) use recent::Recent;
pub use watchers::{CutOff, Watchers};

use zephyrfs_core::engine::EventsError;

use super::deadline::is_over;
use super::engine_error::translate;
use super::error::ServiceError;
use super::request::WatchQuery;
use super::state::Service;
use feed::Feed;
use filter::Filter;

/// So many changes wait for a watcher besides those that are on their way to it.
const WAITING: usize = 16;

/// What a watcher is given, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    /// Everything that the watcher asked for after this index is given.
    pub after: AppliedIndex,
    items: mpsc::Receiver<Watched>,
    /// What the watch ends with, unless that was told.
    end: Option<oneshot::Receiver<ServiceError>>,
}

impl Watch {
    /// What comes next. An error is the last.
    ///
    /// # Errors
    /// Why nothing more comes, with where to go on; `None` after that.
    pub async fn next(&mut self) -> Option<Result<Watched, ServiceError>> {
        if let Some(item) = self.items.recv().await {
            return Some(Ok(item));
        }
        self.end.take()?.await.ok().map(Err)
    }
}

impl Service {
    /// What changes from an index on. `deadline` is the watcher's own, if it has one.
    ///
    /// # Errors
    /// [`ServiceError`]; `TooOld` if what changed after that index is forgotten.
    pub async fn watch(&self, query: WatchQuery, deadline: Option<Instant>) -> Result<Watch, ServiceError> {
        let WatchQuery { after, kinds, ids } = query;
        let filter = Filter::new(&self.limits, &kinds, ids)?;
        if is_over(deadline) {
            return Err(ServiceError::DeadlineExceeded {
                reason: "the deadline passed before the watch began".to_owned(),
            });
        }
        let place = self.watchers.place()?;
        let after = after.map_or_else(|| self.engine.totals().index, AppliedIndex::new);
        // Whoever comes too late is told at once.
        let looked = self.engine.events(after, 1, Duration::ZERO).await;
        looked.map_err(|error| refused(after, error))?;
        let (give, items) = mpsc::channel(WAITING);
        let (tell_end, end) = oneshot::channel();
        let feed = Feed {
            engine: Arc::clone(&self.engine),
            place,
            filter,
            deadline: deadline.map(Into::into),
            give,
            after,
            known: Instant::now().into(),
            astray: None,
        };
        tokio::spawn(async move {
            if let Some(error) = feed.run().await {
                // A watcher that left is not there to be told.
                let _ = tell_end.send(error);
            }
        });
        Ok(Watch {
            after,
            items,
            end: Some(end),
        })
    }

    /// Ends every watch, and begins no other: this process stops.
    pub fn end_watches(&self) {
        self.watchers.end();
    }

    /// Who watches.
    pub fn watchers(&self) -> Arc<Watchers> {
        Arc::clone(&self.watchers)
    }
}

/// Why a watch does not begin or go on after an index.
fn refused(after: AppliedIndex, error: EventsError) -> ServiceError {
    match error {
        EventsError::TooOld { oldest } => ServiceError::TooOld { after, oldest },
        EventsError::Engine(error) => translate(error, false),
    }
}
