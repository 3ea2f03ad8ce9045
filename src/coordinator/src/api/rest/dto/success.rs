//! The answer to a request that has nothing to show but its outcome.

use serde::Serialize;
use utoipa::ToSchema;

use super::error::ErrorBody;

/// Whether it was done, and what happened in words.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct Success {
    success: bool,
    message: String,
}

impl Success {
    /// It was done.
    pub(in crate::api::rest) fn done(message: impl Into<String>) -> Self {
        Self {
            success: true,
            message: message.into(),
        }
    }

    /// It was not.
    pub(in crate::api::rest) const fn refused(message: String) -> Self {
        Self {
            success: false,
            message,
        }
    }
}

/// A refusal as an outcome of the business, or as a failure of the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what either of two bodies looks like")]
pub(in crate::api::rest) enum SuccessOrError {
    /// The operation is not known.
    Outcome(Success),
    /// The request is malformed.
    Failure(ErrorBody),
}
