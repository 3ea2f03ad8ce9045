//! Who watches: how many at a time, and how their watches end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::service::error::ServiceError;

/// Why the coordinator ended a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutOff {
    /// What the watcher had not taken yet is forgotten.
    TooOld,
    /// The watcher took nothing for long.
    Stalled,
    /// The process stops.
    Stopping,
    /// The engine does not tell what changes any more, or cannot know.
    Engine,
}

impl CutOff {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::TooOld, Self::Stalled, Self::Stopping, Self::Engine];

    /// The word that dashboards know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::Stalled => "stalled",
            Self::Stopping => "stopping",
            Self::Engine => "engine",
        }
    }
}

/// All watchers of this process.
#[derive(Debug)]
pub struct Watchers {
    max: usize,
    places: Arc<Semaphore>,
    stopping: CancellationToken,
    sent: AtomicU64,
    cut_off: [AtomicU64; CutOff::ALL.len()],
}

/// A watcher's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    watchers: Arc<Watchers>,
    _permit: OwnedSemaphorePermit,
}

impl Watchers {
    /// Room for so many.
    pub(in crate::service) fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            max,
            places: Arc::new(Semaphore::new(max)),
            stopping: CancellationToken::new(),
            sent: AtomicU64::new(0),
            cut_off: Default::default(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.max - self.places.available_permits()
    }

    /// Changes that were handed to them since the process started.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Watches that the coordinator ended since the process started.
    pub fn cut_off(&self, reason: CutOff) -> u64 {
        self.cut_off[reason as usize].load(Ordering::Relaxed)
    }

    /// A place for another.
    pub(super) fn place(self: &Arc<Self>) -> Result<Place, ServiceError> {
        if self.stopping.is_cancelled() {
            return Err(ServiceError::Unavailable {
                reason: "this replica stops; watch at another one".to_owned(),
            });
        }
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.map_err(|_| ServiceError::TooManyWatchers { limit: self.max })?;
        Ok(Place {
            watchers: Arc::clone(self),
            _permit: permit,
        })
    }

    /// Ends them all.
    pub(super) fn end(&self) {
        self.stopping.cancel();
    }
}

impl Place {
    /// Ends when all watches are to end.
    pub(super) async fn stopping(&self) {
        self.watchers.stopping.cancelled().await;
    }

    /// A change was handed over.
    pub(super) fn sent(&self) {
        self.watchers.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// The coordinator ends this watch.
    pub(super) fn cut_off(&self, reason: CutOff) {
        self.watchers.cut_off[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{CutOff, Watchers};
    use crate::service::error::ServiceError;

    #[test]
    fn one_watcher_too_many_is_refused_until_another_leaves() {
        let watchers = Arc::new(Watchers::new(2));
        let first = watchers.place().unwrap();
        let _second = watchers.place().unwrap();
        assert_eq!(watchers.count(), 2);
        let refused = watchers.place().unwrap_err();
        assert_eq!(refused, ServiceError::TooManyWatchers { limit: 2 });
        drop(first);
        assert_eq!(watchers.count(), 1);
        assert!(watchers.place().is_ok());
        watchers.end();
        assert!(matches!(watchers.place(), Err(ServiceError::Unavailable { .. })));
    }

    #[test]
    fn every_reason_has_its_own_place() {
        for (place, reason) in CutOff::ALL.into_iter().enumerate() {
            assert_eq!(place, reason as usize);
        }
    }
}
