//! Whole numbers in JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A whole number of 64 bits, however it is spelled: to JSON, `5`, `5.0` and `5e0` are the same number, and
/// there are writers that know no other than the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

/// Two to the 63rd, the first number above the range.
const ABOVE: f64 = 9_223_372_036_854_775_808.0;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(WholeVisitor).map(Self)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of 64 bits")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        if number.fract() == 0.0 && (-ABOVE..ABOVE).contains(&number) {
            Ok(number as i64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Whole;

    #[test]
    fn a_whole_number_has_many_spellings() {
        for (text, expected) in [
            ("5", 5),
            ("-5", -5),
            ("5.0", 5),
            ("5e3", 5_000),
            ("-0", 0),
            ("-0.0", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-9223372036854775808.0", i64::MIN),
        ] {
            assert_eq!(
                serde_json::from_str::<Whole>(text).unwrap(),
                Whole(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_whole_number_of_64_bits_is_refused() {
        for text in [
            "5.5",
            "9223372036854775808",
            "9223372036854775808.0",
            "-9223372036854775809.0e1",
            "1e300",
            "\"5\"",
            "true",
            "null",
            "[]",
        ] {
            let error = serde_json::from_str::<Whole>(text).expect_err(text).to_string();
            assert!(error.contains("expected a whole number of 64 bits"), "{error}");
        }
    }
}
