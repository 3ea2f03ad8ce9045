//! Says whose fault it is when a message cannot be read.
//!
//! The transport answers a message that is not valid protobuf, such as one with text that is not UTF-8, with
//! INTERNAL, and one that is too long with OUT_OF_RANGE. To clients the first means that the server is
//! broken, and the second is not the status for a limit. Both come from before any handler, and are told from
//! a handler's own statuses by having no source.

use std::error::Error as _;

use axum::http::Response;
use tonic::body::Body;
use tonic::{Code, Status};

/// Passes a response on, and makes a message that could not be read the client's error.
pub(in crate::api::grpc) fn blame_the_client(response: Response<Body>) -> Response<Body> {
    let Some(status) = response.extensions().get::<Status>() else {
        return response;
    };
    match blamed(status) {
        Some(status) => status.into_http(),
        None => response,
    }
}

/// The status of a message that could not be read, as the client's error; `None` for any other.
pub(in crate::api::grpc) fn blamed(status: &Status) -> Option<Status> {
    if status.source().is_some() {
        return None;
    }
    let code = match status.code() {
        Code::Internal => Code::InvalidArgument,
        Code::OutOfRange => Code::ResourceExhausted,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => return None,
    };
    Some(Status::new(code, status.message()))
}
