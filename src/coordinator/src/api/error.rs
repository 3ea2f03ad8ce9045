//! How errors look on the wire: one table for both APIs, so that they never disagree.

use axum::http::StatusCode;
use tonic::Code;
use zephyrfs_core::Rejection;

use crate::service::ServiceError;

/// How an error looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The gRPC status. Where [`Self::is_outcome`] holds and the reply has a `success` field, a normal reply is sent instead.
    pub grpc: Code,
    /// The HTTP status.
    pub http: StatusCode,
    /// A short text that never varies, for `error` in a JSON body; the error's own text has the details.
    pub text: &'static str,
    /// Whether this is an outcome of the business rather than a failure of the request: existing clients look for it in
    /// `success = false` and `message` of a normal reply.
    pub is_outcome: bool,
    /// Whether nothing happened and the same request may do if it is sent again as it is.
    pub is_retryable: bool,
}

/// A verdict that is neither an outcome nor worth a retry.
const fn failure(grpc: Code, http: StatusCode, text: &'static str) -> Verdict {
    Verdict {
        grpc,
        http,
        text,
        is_outcome: false,
        is_retryable: false,
    }
}

/// A verdict for an outcome of the business.
const fn outcome(grpc: Code, http: StatusCode, text: &'static str) -> Verdict {
    Verdict {
        is_outcome: true,
        ..failure(grpc, http, text)
    }
}

/// A verdict for a request that may be sent again as it is.
const fn retryable(grpc: Code, http: StatusCode, text: &'static str) -> Verdict {
    Verdict {
        is_retryable: true,
        ..failure(grpc, http, text)
    }
}

/// How an error looks on the wire.
pub const fn verdict(error: &ServiceError) -> Verdict {
    match error {
        ServiceError::Invalid(_) => {
            failure(Code::InvalidArgument, StatusCode::BAD_REQUEST, "invalid request")
        }
        ServiceError::TooLarge(_) => failure(
            Code::ResourceExhausted,
            StatusCode::PAYLOAD_TOO_LARGE,
            "request too large",
        ),
        ServiceError::Conflict { .. } => failure(Code::InvalidArgument, StatusCode::CONFLICT, "conflict"),
        ServiceError::UnknownOperation { .. } => outcome(
            Code::InvalidArgument,
            StatusCode::BAD_REQUEST,
            "unknown operation",
        ),
        ServiceError::Rejected { rejection, .. } => rejected(rejection),
        ServiceError::Unavailable { .. } => {
            retryable(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        ServiceError::Overloaded { .. } => {
            retryable(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        }
        ServiceError::UnknownOutcome { .. } => failure(
            Code::DeadlineExceeded,
            StatusCode::GATEWAY_TIMEOUT,
            "unknown outcome",
        ),
        ServiceError::DeadlineExceeded { .. } => retryable(
            Code::DeadlineExceeded,
            StatusCode::GATEWAY_TIMEOUT,
            "deadline exceeded",
        ),
        ServiceError::Internal => failure(
            Code::Internal,
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error",
        ),
    }
}

const fn rejected(rejection: &Rejection) -> Verdict {
    match rejection {
        Rejection::NodeNotFound { .. } => outcome(Code::NotFound, StatusCode::NOT_FOUND, "node not found"),
        Rejection::NodeRemoved { .. } => outcome(Code::NotFound, StatusCode::NOT_FOUND, "node unregistered"),
        Rejection::FileNotFound { .. } => outcome(Code::NotFound, StatusCode::NOT_FOUND, "file not found"),
        Rejection::ChunkNotFound { .. } => outcome(Code::NotFound, StatusCode::NOT_FOUND, "chunk not found"),
        Rejection::ChunkConflict { .. } => failure(Code::InvalidArgument, StatusCode::CONFLICT, "conflict"),
        Rejection::DuplicateChunk { .. } => {
            failure(Code::InvalidArgument, StatusCode::BAD_REQUEST, "invalid request")
        }
        Rejection::NoRoom { .. } => outcome(
            Code::ResourceExhausted,
            StatusCode::INSUFFICIENT_STORAGE,
            "no node has room",
        ),
        Rejection::PlacementStale { .. } => retryable(
            Code::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "nodes changed",
        ),
        Rejection::TooManyReplicas { .. } => outcome(
            Code::FailedPrecondition,
            StatusCode::CONFLICT,
            "too many replicas",
        ),
        Rejection::IdempotencyKeyReused { .. } => failure(
            Code::InvalidArgument,
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency key reused",
        ),
        Rejection::ReleaseFinished => failure(Code::Aborted, StatusCode::CONFLICT, "already finished"),
    }
}
