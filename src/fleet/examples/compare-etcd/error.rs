//! Why a comparison came to no result.

use std::io;

use tokio::task::JoinError;
use tonic::Status;

/// Why a comparison came to no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// A file or process could not be handled.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        source: io::Error,
    },
    /// A system did not begin to work, or not again after an outage.
    #[error("{system} is not ready after {seconds} s ({last}); the end of a log:\n{log}")]
    NotReady {
        system: &'static str,
        seconds: u64,
        /// What the last look at it showed.
        last: String,
        /// The last lines of a member's log.
        log: String,
    },
    /// What a measurement needs could not be written.
    #[error("{system} could not be prepared: {} ({:?})", status.message(), status.code())]
    Prepare { system: &'static str, status: Status },
    /// What should be said or asked of an operating system's process made no sense.
    #[error("{0}")]
    Process(String),
    /// A client panicked.
    #[error("internal error: {0}")]
    Crashed(#[from] JoinError),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl CompareError {
    /// For `map_err`: what was tried when the error came.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| CompareError::Io { what, source }
    }
}
