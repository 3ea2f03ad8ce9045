//! Numbers: wire formats carry signed ones, and nothing here may be negative.

use std::fmt;

use zephyrfs_core::units::ByteSize;

use super::problem::invalid;
use crate::service::error::ServiceError;

/// A number that counts something.
pub(super) fn not_negative(field: impl fmt::Display, number: i64) -> Result<u64, ServiceError> {
    match u64::try_from(number) {
        Ok(number) => Ok(number),
        Err(_) => invalid(field, format!("must not be negative, got {number}")),
    }
}

/// A number of bytes up to a bound.
pub(in crate::service) fn byte_size(
    field: impl fmt::Display,
    number: i64,
    max: u64,
) -> Result<ByteSize, ServiceError> {
    let bytes = not_negative(&field, number)?;
    if bytes > max {
        return invalid(field, format!("must be at most {max} bytes, got {number}"));
    }
    Ok(ByteSize::new(bytes))
}

/// How many of something are wanted, where 0 means all.
pub(in crate::service) fn count_or_all(field: impl fmt::Display, number: i64) -> Result<usize, ServiceError> {
    let count = not_negative(field, number)?;
    Ok(match usize::try_from(count) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    })
}

/// A percentage. Nodes with several processors have been seen to report more than 100, which counts as 100.
pub(super) fn percent(field: impl fmt::Display, number: f64) -> Result<f64, ServiceError> {
    if !number.is_finite() || number < 0.0 {
        return invalid(field, format!("must be a number from 0 to 100, got {number}"));
    }
    // Adding zero turns a negative zero into a plain one.
    Ok(number.min(100.0) + 0.0)
}

#[cfg(test)]
mod tests {
    use super::{byte_size, count_or_all, percent};
    use crate::service::error::ServiceError;

    fn problem<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn sizes_are_neither_negative_nor_above_their_bound() {
        assert_eq!(byte_size("size", 10, 10).map(|size| size.get()), Ok(10));
        assert_eq!(
            problem(byte_size("size", -1, 10)),
            "size: must not be negative, got -1"
        );
        assert_eq!(
            problem(byte_size("size", i64::MIN, 10)),
            "size: must not be negative, got -9223372036854775808"
        );
        assert_eq!(
            problem(byte_size("size", 11, 10)),
            "size: must be at most 10 bytes, got 11"
        );
    }

    #[test]
    fn a_count_of_zero_means_all() {
        assert_eq!(count_or_all("limit", 0), Ok(usize::MAX));
        assert_eq!(count_or_all("limit", 7), Ok(7));
        assert_eq!(
            problem(count_or_all("limit", -7)),
            "limit: must not be negative, got -7"
        );
    }

    #[test]
    fn percentages_are_finite_and_stop_at_a_hundred() {
        assert_eq!(percent("cpu_usage", 12.5), Ok(12.5));
        assert_eq!(percent("cpu_usage", 380.0), Ok(100.0));
        assert_eq!(
            percent("cpu_usage", -0.0).map(f64::to_bits),
            Ok(0.0_f64.to_bits())
        );
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1] {
            let expected = format!("cpu_usage: must be a number from 0 to 100, got {bad}");
            assert_eq!(problem(percent("cpu_usage", bad)), expected);
        }
    }
}
