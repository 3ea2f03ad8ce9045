//! A heartbeat, from when it comes in until it is recorded.

use std::time::Instant;

use zephyrfs_core::row::NodeStats;
use zephyrfs_core::units::Millis;

/// A heartbeat that came in here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::service) struct ReceivedBeat {
    /// When, by this process's own monotonic clock: what is recorded is its age.
    pub(in crate::service) received: Instant,
    /// What the node said.
    pub(in crate::service) stats: NodeStats,
}

impl ReceivedBeat {
    /// How long ago it came in.
    pub(super) fn age(&self, now: Instant) -> Millis {
        Millis::from(now.saturating_duration_since(self.received))
    }
}
