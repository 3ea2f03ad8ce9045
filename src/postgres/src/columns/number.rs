//! Numbers as `bigint`: sizes fit it by their type, and what a node says of itself is cut off at its end.

use crate::error::StoreError;

/// A number as `bigint`; stops at the end of its range.
pub(crate) fn to_bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from a `bigint`.
///
/// # Errors
/// If it is negative, which no number that was stored is.
pub(crate) fn count(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::corrupt(format!("{number} where a count is expected")))
}

/// A small number from a `bigint`.
///
/// # Errors
/// If it is out of range, which no number that was stored is.
pub(crate) fn small(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number)
        .map_err(|_| StoreError::corrupt(format!("{number} where a small count is expected")))
}
