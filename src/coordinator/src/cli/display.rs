//! Values as people read them: sizes, times, shares, and texts from elsewhere made harmless for a terminal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytesize::ByteSize;
use serde::Deserialize;

/// Stands where there is nothing to show.
pub(crate) const NOTHING: &str = "-";

/// A point in time as the API gives it: Unix seconds in some answers, RFC 3339 in others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Time {
    /// Seconds since the Unix epoch; 0 is none.
    Seconds(i64),
    /// RFC 3339 text.
    Text(String),
}

/// The time as RFC 3339 in UTC, to the second where it is a number.
pub(crate) fn time(time: Option<&Time>) -> String {
    match time {
        None | Some(Time::Seconds(..=0)) => NOTHING.to_owned(),
        Some(Time::Seconds(seconds)) => {
            let since_epoch = Duration::from_secs(seconds.unsigned_abs());
            // The formatter knows years of four digits only.
            match UNIX_EPOCH.checked_add(since_epoch) {
                Some(time) if since_epoch < Duration::from_secs(253_402_300_800) => in_utc(time),
                Some(_) | None => seconds.to_string(),
            }
        }
        Some(Time::Text(text)) => escaped(text),
    }
}

/// A time as RFC 3339 in UTC, to the second.
pub(crate) fn in_utc(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A number of bytes with a unit: `4.0 MiB`.
pub(crate) fn size(bytes: i64) -> String {
    match u64::try_from(bytes) {
        Ok(bytes) => ByteSize::b(bytes).display().iec().to_string(),
        Err(_) => bytes.to_string(),
    }
}

/// What is used of a whole: `1.0 GiB of 4.0 GiB (25 %)`.
pub(crate) fn share(used: i64, whole: i64) -> String {
    let percent = if whole > 0 {
        format!(" ({} %)", i128::from(used) * 100 / i128::from(whole))
    } else {
        String::new()
    };
    format!("{} of {}{percent}", size(used), size(whole))
}

/// A span of time, to the second: `1h 5m`.
pub(crate) fn span(seconds: i64) -> String {
    match u64::try_from(seconds) {
        Ok(seconds) => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
        Err(_) => format!("{seconds}s"),
    }
}

/// What the coordinator says of a write, as a line; `otherwise` where it says nothing.
pub(crate) fn outcome(message: Option<String>, otherwise: impl FnOnce() -> String) -> String {
    let told = message.filter(|message| !message.is_empty());
    escaped(&told.unwrap_or_else(otherwise)) + "\n"
}

/// A text, or the sign for nothing.
pub(crate) fn text(text: &str) -> String {
    if text.is_empty() {
        NOTHING.to_owned()
    } else {
        escaped(text)
    }
}

/// `text` without anything that moves the cursor, colours what follows or turns its direction: names of files are
/// whatever their owners chose.
pub(crate) fn escaped(text: &str) -> String {
    let is_harmful = |character: char| {
        character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) {
            harmless.extend(character.escape_default());
        } else {
            harmless.push(character);
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::{Time, escaped, share, size, span, text, time};

    #[test]
    fn times_of_both_kinds_are_rfc_3339() {
        let rfc = "2026-01-02T03:04:05Z";
        assert_eq!(time(Some(&Time::Seconds(1_767_323_045))), rfc);
        assert_eq!(time(Some(&Time::Text(rfc.to_owned()))), rfc);
        assert_eq!(time(Some(&Time::Seconds(0))), "-");
        assert_eq!(time(None), "-");
        assert_eq!(time(Some(&Time::Seconds(i64::MAX))), i64::MAX.to_string());
        assert_eq!(
            time(Some(&Time::Seconds(253_402_300_799))),
            "9999-12-31T23:59:59Z"
        );
        assert_eq!(time(Some(&Time::Seconds(253_402_300_800))), "253402300800");
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(4 << 20), "4.0 MiB");
        assert_eq!(size(-1), "-1");
        assert_eq!(share(1 << 30, 4 << 30), "1.0 GiB of 4.0 GiB (25 %)");
        assert_eq!(share(0, 0), "0 B of 0 B");
        assert_eq!(share(i64::MAX, i64::MAX), "8.0 EiB of 8.0 EiB (100 %)");
    }

    #[test]
    fn spans_are_to_the_second() {
        assert_eq!(span(3900), "1h 5m");
        assert_eq!(span(0), "0s");
    }

    #[test]
    fn texts_cannot_steer_a_terminal() {
        assert_eq!(escaped("a\u{1b}[2J\nb\u{202e}c ü"), "a\\u{1b}[2J\\nb\\u{202e}c ü");
        assert_eq!(text(""), "-");
    }
}
