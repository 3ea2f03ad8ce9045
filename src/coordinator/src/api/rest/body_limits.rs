//! How much of bodies is taken in.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Bodies of the largest size that may be taken in at the same time.
const LARGE_BODIES: usize = 16;

/// How much of bodies is taken in.
#[derive(Debug, Clone)]
pub(super) struct BodyLimits {
    /// Bytes of one body.
    pub(super) max_size: usize,
    /// Bytes beyond the free ones that all bodies together may take.
    pub(super) budget: Arc<Semaphore>,
}

impl BodyLimits {
    /// Limits for bodies of at most `max_size` bytes.
    pub(super) fn new(max_size: usize) -> Self {
        let budget = max_size.saturating_mul(LARGE_BODIES).min(Semaphore::MAX_PERMITS);
        Self {
            max_size,
            budget: Arc::new(Semaphore::new(budget)),
        }
    }
}
