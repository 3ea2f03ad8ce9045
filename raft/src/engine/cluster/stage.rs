//! What keeps a replica out: what one that is no member yet waits for, or why one that is hears of no leader.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::Instant;

/// The same reason is logged again after so long,
const LOG_EVERY: Duration = Duration::from_secs(30);

/// and another one not earlier than this: two may come in turns.
const LOG_CHANGE_AFTER: Duration = Duration::from_secs(5);

/// What a replica that is no member yet is waiting for, and whom it found.
#[derive(Debug)]
pub(in crate::engine) struct Stage<I>(Mutex<Inner<I>>);

#[derive(Debug)]
struct Inner<I> {
    waiting: Option<String>,
    logged: Option<I>,
    found: Vec<u64>,
}

impl<I> Default for Stage<I> {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            waiting: None,
            logged: None,
            found: Vec::new(),
        }))
    }
}

impl<I: Instant> Stage<I> {
    /// Notes why this replica is not a member yet. It is logged from time to time, and sooner when it changes.
    pub(in crate::engine) fn wait(&self, reason: String) {
        let mut inner = self.inner();
        let is_new = inner.waiting.as_ref() != Some(&reason);
        let pause = if is_new { LOG_CHANGE_AFTER } else { LOG_EVERY };
        if inner.logged.is_none_or(|logged| logged.elapsed() >= pause) {
            tracing::info!(reason, "This replica does not take part");
            inner.logged = Some(I::now());
        }
        inner.waiting = Some(reason);
    }

    /// This replica is a member.
    pub(in crate::engine) fn over(&self) {
        self.inner().waiting = None;
    }

    /// Why this replica is not a member yet.
    pub(in crate::engine) fn waiting(&self) -> Option<String> {
        self.inner().waiting.clone()
    }

    /// The empty replicas that were found in the last round, in ascending order.
    pub(in crate::engine) fn found(&self) -> Vec<u64> {
        self.inner().found.clone()
    }

    /// Notes them.
    pub(in crate::engine) fn set_found(&self, found: Vec<u64>) {
        self.inner().found = found;
    }

    fn inner(&self) -> MutexGuard<'_, Inner<I>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
