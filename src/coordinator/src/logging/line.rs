//! One line of the log before it is rendered, and what both renderings share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::Level;

use super::fields::Fields;

/// The last second that has four digits for its year.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// One line of the log.
pub(crate) struct Line {
    /// When it happened.
    pub(crate) time: SystemTime,
    /// How bad it is.
    pub(crate) level: Level,
    /// Message and fields, those of enclosing spans included.
    pub(crate) fields: Fields,
}

impl Line {
    /// The level in small letters: debug, info, warn or error.
    pub(crate) fn level_name(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        }
    }

    /// The time as RFC 3339, in UTC, with milliseconds. A clock that is set beyond what can be written so is
    /// taken for the nearest time that can: a log must not fail for that.
    pub(crate) fn timestamp(&self) -> String {
        let writable = self.time.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST_SECOND);
        humantime::format_rfc3339_millis(writable).to_string()
    }
}
