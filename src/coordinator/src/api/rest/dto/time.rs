//! Times as text.

use std::time::{Duration, UNIX_EPOCH};

use zephyrfs_core::units::Timestamp;

/// The last moment that has a text: years of five digits have none in RFC 3339.
const LAST_MILLIS: u64 = 253_402_300_799_999;

/// A time in RFC 3339, UTC, to the millisecond.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(time.as_millis().min(LAST_MILLIS));
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::units::Timestamp;

    use super::rfc3339;

    #[test]
    fn times_are_texts_in_utc() {
        assert_eq!(
            rfc3339(Timestamp::from_millis(1_769_861_101_250)),
            "2026-01-31T12:05:01.250Z"
        );
        assert_eq!(rfc3339(Timestamp::EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            rfc3339(Timestamp::from_millis(u64::MAX)),
            "9999-12-31T23:59:59.999Z"
        );
    }
}
