//! A request that was not answered with what it asked for: `{"error", "details"}` and a status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use zephyrfs_core::units::AppliedIndex;

use super::applied_index::index_header;
use super::dto::ErrorBody;
use crate::api::error::verdict;
use crate::service::{InvalidField, ServiceError};

/// Characters of details at most: a value that a client sent may be quoted in them, and may be long.
const MAX_DETAILS: usize = 1_000;

/// How long a client should wait before it sends a request again that could not be served: a new leader is
/// found, or what was waiting is done, in about that time.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Why a request was not answered with what it asked for.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: &'static str,
    details: String,
    index: Option<AppliedIndex>,
}

impl Failure {
    /// A failure of the request itself, found before the service was asked.
    pub(super) fn new(status: StatusCode, error: &'static str, details: impl Into<String>) -> Self {
        let mut details: String = details.into();
        if let Some((end, _)) = details.char_indices().nth(MAX_DETAILS) {
            details.truncate(end);
            details.push('…');
        }
        Self {
            status,
            error,
            details,
            index: None,
        }
    }

    /// A value that cannot be what the client meant.
    pub(super) fn invalid(details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid request", details)
    }

    /// A failure of the service that names a value by another name than this API has for it.
    pub(super) fn renaming(error: ServiceError, from: &str, to: &str) -> Self {
        let rename = |field: InvalidField| match field.field.strip_prefix(from) {
            Some(rest) => InvalidField::new(format!("{to}{rest}"), field.problem),
            None => field,
        };
        Self::from(match error {
            ServiceError::Invalid(field) => ServiceError::Invalid(rename(field)),
            ServiceError::TooLarge(field) => ServiceError::TooLarge(rename(field)),
            other => other,
        })
    }
}

impl From<InvalidField> for Failure {
    fn from(field: InvalidField) -> Self {
        Self::from(ServiceError::Invalid(field))
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let verdict = verdict(&error);
        Self {
            index: error.applied_index(),
            ..Self::new(verdict.http, verdict.text, error.to_string())
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self {
            status,
            error,
            details,
            index,
        } = self;
        let body = Json(ErrorBody { error, details });
        let mut response = (status, index_header(index), body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body may still come; it is not the next request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
