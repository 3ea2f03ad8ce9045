//! When a leader was last heard of.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openraft::Instant;

/// When a leader of a term that counts last sent anything.
#[derive(Debug)]
pub(super) struct Contact<I>(Mutex<Option<I>>);

impl<I> Default for Contact<I> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<I: Instant> Contact<I> {
    /// It did just now.
    pub(super) fn heard(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(I::now());
    }

    /// How long ago; `None` if never.
    pub(super) fn age(&self) -> Option<Duration> {
        let heard = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map(|heard| heard.elapsed())
    }
}
