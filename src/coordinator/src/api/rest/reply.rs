//! Answers: a status, the applied index in a header, and a JSON body.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use zephyrfs_core::units::AppliedIndex;

use super::applied_index::index_header;
use super::failure::Failure;
use crate::api::error::verdict;
use crate::service::{At, ServiceError};

/// An answer with the index it belongs to.
#[derive(Debug)]
pub(super) struct Reply<B> {
    status: StatusCode,
    index: Option<AppliedIndex>,
    body: B,
}

/// What handlers give.
pub(super) type Answer<B> = Result<Reply<B>, Failure>;

/// 200 with the value in its JSON form, or the failure.
pub(super) fn answer<T, B>(
    result: Result<At<T>, impl Into<Failure>>,
    convert: impl FnOnce(T) -> B,
) -> Answer<B> {
    match result {
        Ok(At { index, value }) => Ok(Reply {
            status: StatusCode::OK,
            index: Some(index),
            body: convert(value),
        }),
        Err(error) => Err(error.into()),
    }
}

/// A body with `success`: what was done under `status`, or an outcome of the business, with its own status
/// and the same form, from `refused` and the reason in words.
pub(super) fn outcome<T, B>(
    status: StatusCode,
    result: Result<At<T>, ServiceError>,
    done: impl FnOnce(T) -> B,
    refused: impl FnOnce(String) -> B,
) -> Answer<B> {
    match result {
        Ok(At { index, value }) => Ok(Reply {
            status,
            index: Some(index),
            body: done(value),
        }),
        Err(error) => {
            let verdict = verdict(&error);
            if !verdict.is_outcome {
                return Err(error.into());
            }
            Ok(Reply {
                status: verdict.http,
                index: error.applied_index(),
                body: refused(error.to_string()),
            })
        }
    }
}

impl<B: Serialize> IntoResponse for Reply<B> {
    fn into_response(self) -> Response {
        let Self { status, index, body } = self;
        (status, index_header(index), Json(body)).into_response()
    }
}
