//! What can go wrong with a call, and whether trying again is safe.

use std::error::Error as _;

use tonic::{Code, Status, TimeoutExpired};

use crate::client::endpoint::EndpointUri;
use crate::measure::errors::ErrorKind;
use crate::operation::Operation;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A reply with `success = false`: it says no, and would say so again.
    #[error("{operation} was refused: {message}")]
    Refused {
        /// What was called.
        operation: Operation,
        /// The reply's message.
        message: String,
    },
    /// A status other than OK, from the coordinator or from the connection.
    #[error("{operation} at {endpoint} failed with {}: {message}", kind.name())]
    Failed {
        /// What was called.
        operation: Operation,
        /// Where.
        endpoint: String,
        /// The gRPC code, or that the connection failed.
        kind: ErrorKind,
        /// The status's message.
        message: String,
        /// Whether another attempt may succeed, and does no harm.
        retryable: bool,
    },
    /// A reply that the contract does not allow.
    #[error("{operation} got a reply that breaks the contract: {message}")]
    BadReply {
        /// What was called.
        operation: Operation,
        /// What is wrong with the reply.
        message: String,
    },
}

/// Why a write that was retried is not known to be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It was not done, and another attempt would not change that.
    #[error(transparent)]
    Definite(CallError),
    /// Time was up. The outcome may be unknown.
    #[error("given up: {0}")]
    GivenUp(CallError),
    /// The run ended first. The outcome may be unknown.
    #[error("the run ended before an answer: {0}")]
    Stopped(CallError),
}

impl CallError {
    pub(super) fn refused(operation: Operation, message: &str) -> Self {
        CallError::Refused {
            operation,
            message: message.to_owned(),
        }
    }

    pub(super) fn failed(operation: Operation, endpoint: &EndpointUri, status: &Status) -> Self {
        let kind = kind(status);
        // The contract's retryable outcomes: nothing happened (UNAVAILABLE), or nobody knows (the deadline
        // passed, the connection broke). The latter is safe as well, because writes carry a key or have the
        // same effect twice.
        let retryable = kind == ErrorKind::CONNECTION
            || kind == ErrorKind::of_code(Code::Unavailable)
            || kind == ErrorKind::of_code(Code::DeadlineExceeded);
        let message = describe(status);
        CallError::Failed {
            operation,
            endpoint: endpoint.to_string(),
            kind,
            message,
            retryable,
        }
    }

    /// Whether another attempt may succeed, and does no harm.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            CallError::Failed { retryable, .. } => *retryable,
            CallError::Refused { .. } | CallError::BadReply { .. } => false,
        }
    }

    /// What was called.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            CallError::Refused { operation, .. }
            | CallError::Failed { operation, .. }
            | CallError::BadReply { operation, .. } => *operation,
        }
    }

    /// Under what it is counted.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            CallError::Refused { .. } => ErrorKind::REFUSED,
            CallError::Failed { kind, .. } => *kind,
            CallError::BadReply { .. } => ErrorKind::BAD_REPLY,
        }
    }
}

/// A status with a source was made on this side, out of an error of the connection; the coordinator's own
/// have none.
fn kind(status: &Status) -> ErrorKind {
    let mut source = status.source();
    if source.is_none() {
        return ErrorKind::of_code(status.code());
    }
    while let Some(error) = source {
        if error.is::<TimeoutExpired>() {
            return ErrorKind::of_code(Code::DeadlineExceeded);
        }
        source = error.source();
    }
    match status.code() {
        Code::Unavailable => ErrorKind::of_code(Code::Unavailable),
        _ => ErrorKind::CONNECTION,
    }
}

/// The message, with the innermost cause: "tcp connect error" alone does not say that the connection was
/// refused.
fn describe(status: &Status) -> String {
    let mut innermost = None;
    let mut source = status.source();
    while let Some(error) = source {
        innermost = Some(error.to_string());
        source = error.source();
    }
    match innermost {
        Some(cause) if !status.message().contains(&cause) => format!("{}: {cause}", status.message()),
        Some(_) | None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};

    use super::CallError;
    use crate::operation::Operation;

    fn failed(status: &Status) -> CallError {
        CallError::failed(Operation::RegisterFile, &"http://c:8080".parse().unwrap(), status)
    }

    #[test]
    fn only_outcomes_that_may_change_are_retried() {
        for code in [Code::Unavailable, Code::DeadlineExceeded] {
            assert!(failed(&Status::new(code, "later")).is_retryable(), "{code:?}");
        }
        for code in [
            Code::InvalidArgument,
            Code::ResourceExhausted,
            Code::Internal,
            Code::Unknown,
        ] {
            assert!(!failed(&Status::new(code, "no")).is_retryable(), "{code:?}");
        }
        assert!(!CallError::refused(Operation::RegisterFile, "full").is_retryable());
    }

    #[test]
    fn a_broken_connection_is_retried_and_named_as_such() {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let error = failed(&Status::from_error(Box::new(broken)));
        assert!(error.is_retryable());
        assert_eq!(error.kind().name(), "CONNECTION");
        assert!(
            error.to_string().contains("RegisterFile at http://c:8080"),
            "{error}"
        );
    }

    #[test]
    fn a_deadline_that_passed_on_this_side_is_one() {
        let error = failed(&Status::from_error(Box::new(tonic::TimeoutExpired(()))));
        assert_eq!(error.kind().name(), "DEADLINE_EXCEEDED");
        assert!(error.is_retryable());
    }
}
