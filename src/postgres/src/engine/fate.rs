//! Where a command stands between who waits for its answer and who works on it.

use std::sync::atomic::{AtomicU8, Ordering};

/// How far a command has come.
const WAITING: u8 = 0;
const COMMITTING: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Where a command stands between who waits for its answer and who works on it.
#[derive(Debug, Default)]
pub(super) struct Fate(AtomicU8);

impl Fate {
    /// Whoever waits gives up: whether it is certain that nothing happens.
    pub(super) fn withdraw(&self) -> bool {
        let withdrawn = self
            .0
            .compare_exchange(WAITING, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst);
        withdrawn.is_ok()
    }

    /// From now on it may happen; not if it was withdrawn.
    pub(super) fn commit(&self) -> bool {
        let before = self
            .0
            .compare_exchange(WAITING, COMMITTING, Ordering::SeqCst, Ordering::SeqCst);
        before != Err(WITHDRAWN)
    }

    /// It is certain again that nothing happened.
    pub(super) fn did_not_happen(&self) {
        let _was_withdrawn = self
            .0
            .compare_exchange(COMMITTING, WAITING, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether whoever waited gave up before anything happened.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.0.load(Ordering::SeqCst) == WITHDRAWN
    }
}
