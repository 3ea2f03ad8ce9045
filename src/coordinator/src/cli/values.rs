//! Parsers of single values on the command line. Each error says what would be right.

use std::time::Duration;

use bytesize::ByteSize;

/// As long as the service lets an id be by default, and a multiple of it.
const MAX_ID_LENGTH: usize = 4096;
/// More digits than any sensible duration has, and fewer than it takes to overflow the sum of its parts.
const MAX_DIGITS: usize = 14;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);
const LONGEST_MAINTENANCE: Duration = Duration::from_hours(366 * 24);

/// An id or name that becomes one segment of a URL's path.
pub(crate) fn id(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it must not be empty".to_owned());
    }
    if matches!(text, "." | "..") {
        return Err("`.` and `..` cannot be asked for: they have a meaning of their own in URLs".to_owned());
    }
    if text.len() > MAX_ID_LENGTH {
        return Err(format!("it must be at most {MAX_ID_LENGTH} bytes long"));
    }
    if text.chars().any(char::is_control) {
        return Err("it must not contain control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A size of 1 byte or more, within what the wire's signed numbers hold.
pub(crate) fn size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| "write it as 4MiB, 100MB or plain bytes".to_owned())?;
    match i64::try_from(size.as_u64()) {
        Ok(1..) => Ok(size),
        Ok(_) => Err("it must be at least one byte".to_owned()),
        Err(_) => Err("it must be below 8EiB".to_owned()),
    }
}

/// How long to wait for an answer.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        wait if wait > LONGEST_TIMEOUT => Err("it must be at most 1h".to_owned()),
        wait => Ok(wait),
    }
}

/// How often something is looked at.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        interval if interval < SHORTEST_INTERVAL => Err("it must be at least 100ms".to_owned()),
        interval if interval > LONGEST_TIMEOUT => Err("it must be at most 1h".to_owned()),
        interval => Ok(interval),
    }
}

/// How long a node stays away, in whole seconds.
pub(crate) fn absence(text: &str) -> Result<Duration, String> {
    let absence = duration(text)?;
    if absence < Duration::from_secs(1) || absence.subsec_nanos() != 0 {
        return Err("it must be whole seconds, at least one".to_owned());
    }
    if absence > LONGEST_MAINTENANCE {
        return Err("it must be at most a year".to_owned());
    }
    Ok(absence)
}

fn duration(text: &str) -> Result<Duration, String> {
    let hint = || "write it with its unit, as 10s, 250ms or 1h30m".to_owned();
    if text.bytes().filter(u8::is_ascii_digit).count() > MAX_DIGITS {
        return Err(hint());
    }
    humantime::parse_duration(text).map_err(|_| hint())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{absence, id, interval, size, timeout};

    #[test]
    fn ids_that_no_url_can_carry_are_refused() {
        for text in ["node-1", "a/b", "ü %2e", "...", "?"] {
            assert_eq!(id(text).as_deref(), Ok(text));
        }
        for text in ["", ".", "..", "a\nb", &"x".repeat(4097)] {
            assert!(id(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_have_units_and_bounds() {
        assert_eq!(size("4MiB").map(|size| size.as_u64()), Ok(4 << 20));
        assert_eq!(size("1").map(|size| size.as_u64()), Ok(1));
        for text in ["0", "-1", "", "4 parsecs", "8EiB"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(timeout("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(absence("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(interval("100ms"), Ok(Duration::from_millis(100)));
        for text in ["99ms", "0s", "61m", "1"] {
            assert!(interval(text).is_err(), "{text:?}");
        }
        for text in ["10", "0s", "2h", "18446744073709551615s1000ms", "-1s"] {
            assert!(timeout(text).is_err(), "{text:?}");
        }
        for text in ["0s", "1500ms", "2years", "soon"] {
            assert!(absence(text).is_err(), "{text:?}");
        }
    }
}
