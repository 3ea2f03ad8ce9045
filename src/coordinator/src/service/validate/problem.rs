//! What is wrong with a value.

use std::fmt;

use crate::service::error::{InvalidField, ServiceError};

/// A malformed value.
pub(super) fn invalid<T>(field: impl fmt::Display, problem: impl Into<String>) -> Result<T, ServiceError> {
    Err(ServiceError::Invalid(InvalidField::new(
        field.to_string(),
        problem,
    )))
}

/// Refuses more of something than the limit.
pub(super) fn at_most(
    field: impl fmt::Display,
    what: &str,
    count: usize,
    limit: usize,
) -> Result<(), ServiceError> {
    if count <= limit {
        return Ok(());
    }
    let problem = format!("must have at most {limit} {what}, got {count}");
    Err(ServiceError::TooLarge(InvalidField::new(
        field.to_string(),
        problem,
    )))
}
