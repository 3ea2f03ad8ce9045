//! Spans of time as clients write them: `250ms`, `90s`, `30m`, `2h`, `7d`.

use std::time::Duration;

/// The form of a span, as a regular expression for the API's description. One number, so that there is one
/// way to write it, and few enough digits for about a year at most.
pub(super) const SPAN_PATTERN: &str =
    "^([1-9][0-9]{0,6}(ms|s)|[1-9][0-9]{0,4}m|[1-9][0-9]{0,2}h|[1-9][0-9]?d)$";

/// The span that a text means, if it has the form.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let (max_digits, millis) = match unit {
        "ms" => (7, 1),
        "s" => (7, 1_000),
        "m" => (5, 60 * 1_000),
        "h" => (3, 60 * 60 * 1_000),
        "d" => (2, 24 * 60 * 60 * 1_000),
        _ => return None,
    };
    if digits.len() > max_digits || digits.starts_with('0') {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(Duration::from_millis(number * millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_span;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("999h", 999 * 3_600),
            ("99d", 99 * 86_400),
            ("9999999s", 9_999_999),
        ] {
            assert_eq!(parse_span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_span("250ms"), Some(Duration::from_millis(250)));
        for text in [
            "",
            "s",
            "30",
            "0s",
            "05m",
            "-5m",
            "+5m",
            "1.5h",
            "1h30m",
            "30 m",
            "30M",
            "1000h",
            "100d",
            "10000000s",
            "３0m",
            "30m ",
        ] {
            assert_eq!(parse_span(text), None, "{text:?}");
        }
    }
}
