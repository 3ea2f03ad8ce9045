//! Parsers of single values on the command line. Each error says what would be right.

use std::time::Duration;

use bytesize::ByteSize;

use crate::client::beat_stream::WINDOW_LIMIT;
use crate::node::CopyRate;

/// The longest time that can be asked for: sums of a few of these are still within what a clock can hold.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A duration above zero, as `10s`, `250ms` or `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_none(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

/// A duration, or `0s`.
pub(super) fn duration_or_none(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}: write it with its unit, as 10s, 250ms or 2m"))?;
    if duration > LONGEST {
        Err("it must be at most a year".to_owned())
    } else {
        Ok(duration)
    }
}

/// A size in bytes, 1 or more and within what the wire's signed numbers hold.
pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|error| format!("{error}: write it as 4MiB, 100GB or plain bytes"))?;
    match i64::try_from(size.as_u64()) {
        Ok(1..) => Ok(size),
        Ok(_) => Err("it must be at least one byte".to_owned()),
        Err(_) => Err("it must be below 8EiB".to_owned()),
    }
}

/// `instant`, or bytes per second.
pub(super) fn copy_rate(text: &str) -> Result<CopyRate, String> {
    match text {
        "instant" => Ok(CopyRate::Instant),
        rate => size(rate)
            .map(CopyRate::PerSecond)
            .map_err(|error| format!("{error}, or `instant`")),
    }
}

/// A rate per second; 0 means none.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
        Ok(_) | Err(_) => Err("it must be a number of 0 or more".to_owned()),
    }
}

/// A share from 0 up to, but not including, 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("it must be a number from 0 up to, but not including, 1".to_owned()),
    }
}

/// A count from 1 to a million.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count @ 1..=1_000_000) => Ok(count),
        Ok(_) | Err(_) => Err("it must be a number from 1 to 1000000".to_owned()),
    }
}

/// A number of streams, none or up to a thousand.
pub(super) fn streams(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count @ 0..=1_000) => Ok(count),
        Ok(_) | Err(_) => Err("it must be a number from 0 to 1000".to_owned()),
    }
}

/// How many beats go into a window of a stream.
pub(super) fn window(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count @ 1..=WINDOW_LIMIT) => Ok(count),
        Ok(_) | Err(_) => Err(format!("it must be a number from 1 to {WINDOW_LIMIT}")),
    }
}

/// A few letters that ids begin with.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("it must be 1 to 64 letters, digits, '-', '_' or '.'".to_owned())
    }
}
