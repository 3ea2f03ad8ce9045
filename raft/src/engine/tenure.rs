//! How long this replica has led.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use openraft::Instant;

/// Since when this replica has led in a term, as far as it has looked.
#[derive(Debug)]
pub(super) struct Tenure<I>(Mutex<Option<(u64, I)>>);

impl<I> Default for Tenure<I> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<I: Instant> Tenure<I> {
    /// How long it has led in this term, at least; `None` if it does not lead.
    pub(super) fn of(&self, term: Option<u64>) -> Duration {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(term) = term else {
            *since = None;
            return Duration::ZERO;
        };
        match *since {
            Some((before, at)) if before == term => at.elapsed(),
            _ => {
                *since = Some((term, I::now()));
                Duration::ZERO
            }
        }
    }
}
