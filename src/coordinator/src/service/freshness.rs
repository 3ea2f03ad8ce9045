//! How fresh the service's own reads are: those that a client did not ask for in these words.

use zephyrfs_core::engine::{Consistency, Freshness};
use zephyrfs_core::units::AppliedIndex;

/// This replica's own state, whatever it is.
pub(super) const fn local() -> Freshness {
    Freshness {
        consistency: Consistency::Local,
        at_least: None,
        max_staleness: None,
    }
}

/// This replica's own state from an index on: what goes on with an answer, on the state that the answer was read from or
/// a later one.
pub(super) const fn local_at(index: AppliedIndex) -> Freshness {
    Freshness {
        consistency: Consistency::Local,
        at_least: Some(index),
        max_staleness: None,
    }
}
