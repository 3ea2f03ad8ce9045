//! How far the log is applied, for those who wait for an index.
//!
//! Each is woken once, when its index is reached, and in order: a simulation of the same seed takes the same course.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;

/// Those who wait for an index to be applied.
#[derive(Default)]
pub(super) struct Progress(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    has_ended: bool,
    /// By index, and in order of arrival.
    waiting: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    next: u64,
}

/// Nothing more is applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended;

impl Progress {
    /// Everything up to an index is applied.
    pub(super) fn reached(&self, index: u64) {
        let reached = {
            let mut inner = self.inner();
            let later = inner.waiting.split_off(&(index.saturating_add(1), 0));
            std::mem::replace(&mut inner.waiting, later)
        };
        for waiting in reached.into_values() {
            // Whoever waited may have given up.
            let _ = waiting.send(());
        }
    }

    /// Nothing more is applied: all who wait are told.
    pub(super) fn end(&self) {
        let mut inner = self.inner();
        inner.has_ended = true;
        inner.waiting.clear();
    }

    /// Waits until everything up to an index is applied; `applied` says how far that is now.
    pub(super) async fn until(&self, index: u64, applied: impl FnOnce() -> u64) -> Result<(), Ended> {
        let (tell, told) = oneshot::channel();
        let place = {
            let mut inner = self.inner();
            // Whoever applies more after this look finds who waits.
            if applied() >= index {
                return Ok(());
            }
            if inner.has_ended {
                return Err(Ended);
            }
            inner.next += 1;
            let place = (index, inner.next);
            inner.waiting.insert(place, tell);
            place
        };
        let _gone = scopeguard::guard((), |()| {
            self.inner().waiting.remove(&place);
        });
        told.await.map_err(|_| Ended)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::executor::block_on;

    use super::{Ended, Progress};

    #[test]
    fn each_is_woken_when_its_index_is_reached() {
        let progress = Progress::default();
        assert_eq!(block_on(progress.until(3, || 3)), Ok(()), "it is applied already");
        let mut near = Box::pin(progress.until(4, || 3));
        let mut far = Box::pin(progress.until(6, || 3));
        assert!(near.as_mut().now_or_never().is_none() && far.as_mut().now_or_never().is_none());
        progress.reached(5);
        assert_eq!(near.now_or_never(), Some(Ok(())));
        assert!(far.as_mut().now_or_never().is_none());
        progress.end();
        assert_eq!(far.now_or_never(), Some(Err(Ended)));
        assert_eq!(block_on(progress.until(6, || 5)), Err(Ended));
    }

    #[test]
    fn whoever_gives_up_leaves_nothing_behind() {
        let progress = Progress::default();
        let mut waiting = Box::pin(progress.until(u64::MAX, || 0));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(progress.inner().waiting.len(), 1);
        drop(waiting);
        assert!(progress.inner().waiting.is_empty());
        progress.reached(u64::MAX);
    }
}
