//! How many writes may wait for the engine at a time: what is over is refused at once, before it costs
//! anything.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::ServiceError;

/// Counts waiting writes. How much memory they take is the engine's to bound.
pub(super) struct Admission(Semaphore);

impl Admission {
    /// Room for so many.
    pub(super) fn new(max_pending_writes: usize) -> Self {
        Self(Semaphore::new(max_pending_writes.min(Semaphore::MAX_PERMITS)))
    }

    /// Takes a place for a write; it is given back when dropped.
    ///
    /// # Errors
    /// `Overloaded` if there is none.
    pub(super) fn admit(&self) -> Result<SemaphorePermit<'_>, ServiceError> {
        self.0.try_acquire().map_err(|_| ServiceError::Overloaded {
            reason: "too many writes are waiting; nothing was changed: try again in a moment".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Admission;

    #[test]
    fn one_write_too_many_is_refused_until_another_is_done() {
        let admission = Admission::new(2);
        let first = admission.admit().unwrap();
        let _second = admission.admit().unwrap();
        assert!(admission.admit().is_err());
        drop(first);
        assert!(admission.admit().is_ok());
    }
}
