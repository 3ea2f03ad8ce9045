//! Times in sentences.

use std::time::{Duration, UNIX_EPOCH};

use zephyrfs_core::units::Timestamp;

/// The last second that has a text: years of five digits have none in RFC 3339.
const LAST_SECOND: u64 = 253_402_300_799;

/// A time in RFC 3339, UTC, to the second.
pub(super) fn time(time: Timestamp) -> String {
    let seconds = (time.as_millis() / 1_000).min(LAST_SECOND);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}
