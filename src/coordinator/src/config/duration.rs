//! Durations as text: `250ms`, `10s`, `1m30s`, `1h0m0s`, `24h`, also with spaces between the parts.

use std::time::Duration;

/// More digits than any sensible duration has, and fewer than it takes to overflow the sum of the parts,
/// which the parser does not guard in every corner.
const MAX_DIGITS: usize = 14;

/// Parses `text`; `None` when it is no duration. A number without a unit is none, except `0`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > MAX_DIGITS {
        return None;
    }
    humantime::parse_duration(text).ok()
}

/// The text that `parse` turns into `duration` again.
pub(crate) fn to_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

    use super::{parse, to_text};

    #[test]
    fn common_forms_are_understood() {
        for (text, seconds) in [
            ("10s", 10),
            ("5m", 300),
            ("24h", 86_400),
            ("1m30s", 90),
            ("1h0m0s", 3600),
            ("1h 30m", 5400),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "10", "s", "-5s", "10 parsecs", "1e3s", "5s,"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_sum_that_overflows_is_refused_without_a_panic() {
        assert_eq!(parse("18446744073709551615s1000ms"), None);
        assert_eq!(parse("99999999999999y"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn text_of_a_duration_reads_back_the_same(millis in 0_u64..100_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&to_text(duration)), Some(duration));
        }

        #[test]
        fn no_text_panics(text in "[0-9 .smhdwMy]{0,40}") {
            let _ = parse(&text);
        }
    }
}
