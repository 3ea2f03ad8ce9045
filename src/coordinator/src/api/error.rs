//! How errors look on the wire: one table for both APIs, so that they never disagree.

use axum::http::StatusCode;
use tonic::Code;
use zephyrfs_core::Rejection;

use crate::service::ServiceError;

/// How an error looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The gRPC status. Where [`Self::is_outcome`] holds and the reply has a `success` field, a normal reply
    /// is sent instead.
    pub grpc: Code,
    /// The HTTP status.
    pub http: StatusCode,
    /// A short text that never varies, for `error` in a JSON body; the error's own text has the details.
    pub text: &'static str,
    /// Whether this is an outcome of the business rather than a failure of the request: existing clients look
    /// for it in `success = false` and `message` of a normal reply.
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
        ServiceError::TooManyWatchers { .. } => retryable(
            Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE,
            "too many watchers",
        ),
        ServiceError::TooOld { .. } => failure(Code::OutOfRange, StatusCode::GONE, "too old"),
        ServiceError::WatchInterrupted { .. } => retryable(
            Code::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "watch interrupted",
        ),
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
        ServiceError::NoSuchMember { .. } => {
            outcome(Code::NotFound, StatusCode::NOT_FOUND, "member not found")
        }
        ServiceError::ClusterRefused { .. } => {
            outcome(Code::FailedPrecondition, StatusCode::CONFLICT, "refused")
        }
        ServiceError::DrainRefused { .. } => {
            outcome(Code::FailedPrecondition, StatusCode::CONFLICT, "drain refused")
        }
        ServiceError::NoSuchTask { .. } => outcome(Code::NotFound, StatusCode::NOT_FOUND, "task not found"),
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
        Rejection::ChunkBeingDeleted { .. } => outcome(
            Code::ResourceExhausted,
            StatusCode::INSUFFICIENT_STORAGE,
            "chunk being deleted",
        ),
        Rejection::CopyBeingDeleted { .. } => outcome(
            Code::FailedPrecondition,
            StatusCode::CONFLICT,
            "copy being deleted",
        ),
        Rejection::NotDraining { .. } => {
            outcome(Code::FailedPrecondition, StatusCode::CONFLICT, "not draining")
        }
        Rejection::NodeDrained { .. } => {
            outcome(Code::FailedPrecondition, StatusCode::CONFLICT, "node drained")
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use tonic::Code;
    use zephyrfs_core::Rejection;
    use zephyrfs_core::id::{ChunkId, FileId, NodeId};
    use zephyrfs_core::units::{AppliedIndex, ByteSize};

    use super::verdict;
    use crate::service::{InvalidField, ServiceError};

    /// What clients are promised of an error.
    #[derive(Debug, PartialEq)]
    enum Kind {
        /// Existing clients find it in `success = false`.
        Outcome,
        /// The same request will never do.
        Failure,
        /// Nothing happened, and the same request may do.
        Retryable,
    }

    fn field() -> InvalidField {
        InvalidField::new("f", "p")
    }

    fn rejected(rejection: Rejection) -> ServiceError {
        let index = AppliedIndex::new(1);
        ServiceError::Rejected { rejection, index }
    }

    fn service_errors() -> Vec<(ServiceError, Code, u16, Kind)> {
        let reason = String::new;
        let conflict = ServiceError::Conflict {
            field: field(),
            index: AppliedIndex::new(1),
        };
        let unknown_operation = ServiceError::UnknownOperation { operation: reason() };
        let too_old = ServiceError::TooOld {
            after: AppliedIndex::new(1),
            oldest: AppliedIndex::new(2),
        };
        let interrupted = ServiceError::WatchInterrupted {
            reason: reason(),
            resume_after: AppliedIndex::new(1),
        };
        vec![
            (
                ServiceError::Invalid(field()),
                Code::InvalidArgument,
                400,
                Kind::Failure,
            ),
            (
                ServiceError::TooLarge(field()),
                Code::ResourceExhausted,
                413,
                Kind::Failure,
            ),
            (conflict, Code::InvalidArgument, 409, Kind::Failure),
            (unknown_operation, Code::InvalidArgument, 400, Kind::Outcome),
            (
                ServiceError::Unavailable { reason: reason() },
                Code::Unavailable,
                503,
                Kind::Retryable,
            ),
            (
                ServiceError::Overloaded { reason: reason() },
                Code::Unavailable,
                503,
                Kind::Retryable,
            ),
            (
                ServiceError::TooManyWatchers { limit: 1 },
                Code::ResourceExhausted,
                503,
                Kind::Retryable,
            ),
            (too_old, Code::OutOfRange, 410, Kind::Failure),
            (interrupted, Code::Unavailable, 503, Kind::Retryable),
            (
                ServiceError::UnknownOutcome { reason: reason() },
                Code::DeadlineExceeded,
                504,
                Kind::Failure,
            ),
            (
                ServiceError::DeadlineExceeded { reason: reason() },
                Code::DeadlineExceeded,
                504,
                Kind::Retryable,
            ),
            (
                ServiceError::NoSuchMember { reason: reason() },
                Code::NotFound,
                404,
                Kind::Outcome,
            ),
            (
                ServiceError::ClusterRefused { reason: reason() },
                Code::FailedPrecondition,
                409,
                Kind::Outcome,
            ),
            (
                ServiceError::NoSuchTask {
                    reason: reason(),
                    index: AppliedIndex::new(1),
                },
                Code::NotFound,
                404,
                Kind::Outcome,
            ),
            (ServiceError::Internal, Code::Internal, 500, Kind::Failure),
        ]
    }

    fn rejections() -> Vec<(ServiceError, Code, u16, Kind)> {
        let (node, file, chunk) = (NodeId::from("n"), FileId::from("f"), ChunkId::from("c"));
        let known = String::new();
        let size = ByteSize::ZERO;
        [
            (
                Rejection::NodeNotFound { node: node.clone() },
                Code::NotFound,
                404,
                Kind::Outcome,
            ),
            (
                Rejection::NodeRemoved { node: node.clone() },
                Code::NotFound,
                404,
                Kind::Outcome,
            ),
            (
                Rejection::FileNotFound { file },
                Code::NotFound,
                404,
                Kind::Outcome,
            ),
            (
                Rejection::ChunkNotFound { chunk: chunk.clone() },
                Code::NotFound,
                404,
                Kind::Outcome,
            ),
            (
                Rejection::ChunkConflict {
                    chunk: chunk.clone(),
                    known,
                },
                Code::InvalidArgument,
                409,
                Kind::Failure,
            ),
            (
                Rejection::DuplicateChunk { chunk: chunk.clone() },
                Code::InvalidArgument,
                400,
                Kind::Failure,
            ),
            (
                Rejection::NoRoom {
                    chunk: chunk.clone(),
                    size,
                },
                Code::ResourceExhausted,
                507,
                Kind::Outcome,
            ),
            (
                Rejection::PlacementStale { chunk: chunk.clone() },
                Code::Unavailable,
                503,
                Kind::Retryable,
            ),
            (
                Rejection::TooManyReplicas {
                    chunk: chunk.clone(),
                    limit: 1,
                },
                Code::FailedPrecondition,
                409,
                Kind::Outcome,
            ),
            (
                Rejection::IdempotencyKeyReused { key: String::new() },
                Code::InvalidArgument,
                422,
                Kind::Failure,
            ),
            (Rejection::ReleaseFinished, Code::Aborted, 409, Kind::Failure),
            (
                Rejection::ChunkBeingDeleted { chunk: chunk.clone() },
                Code::ResourceExhausted,
                507,
                Kind::Outcome,
            ),
            (
                Rejection::CopyBeingDeleted { chunk, node },
                Code::FailedPrecondition,
                409,
                Kind::Outcome,
            ),
        ]
        .into_iter()
        .map(|(rejection, grpc, http, kind)| (rejected(rejection), grpc, http, kind))
        .collect()
    }

    #[test]
    fn every_error_looks_on_the_wire_as_promised() {
        for (error, grpc, http, kind) in service_errors().into_iter().chain(rejections()) {
            let verdict = verdict(&error);
            assert_eq!(verdict.grpc, grpc, "{error:?}");
            assert_eq!(verdict.http, StatusCode::from_u16(http).unwrap(), "{error:?}");
            let seen = match (verdict.is_outcome, verdict.is_retryable) {
                (true, false) => Kind::Outcome,
                (false, false) => Kind::Failure,
                (false, true) => Kind::Retryable,
                (true, true) => panic!("an outcome is never worth a retry: {error:?}"),
            };
            assert_eq!(seen, kind, "{error:?}");
            assert!(!verdict.text.is_empty());
        }
    }

    #[test]
    fn only_what_surely_had_no_effect_is_unavailable_or_retryable() {
        let unknown = ServiceError::UnknownOutcome {
            reason: String::new(),
        };
        assert_ne!(verdict(&unknown).grpc, Code::Unavailable);
        assert_ne!(verdict(&unknown).http, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!verdict(&unknown).is_retryable);
    }
}
