//! The engine's clock: the time at the start, and from then on the steps of a clock that never jumps.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zephyrfs_core::units::{Millis, Timestamp};
use zephyrfs_raft::Clock;

/// A clock that starts at the system's time and is not moved by corrections of it: a jump of the system's clock must not
/// make nodes look silent.
pub(super) fn steady() -> Clock {
    let began = Instant::now();
    let began_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(Timestamp::EPOCH, |since| {
            Timestamp::EPOCH.plus(Millis::from(since))
        });
    Arc::new(move || began_at.plus(began.elapsed().into()))
}
