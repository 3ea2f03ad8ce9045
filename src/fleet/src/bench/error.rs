//! Why a bench came to no result, and whether the command line is at fault.

use tokio::task::JoinError;

use crate::bench::stage::StageError;
use crate::client::error::WriteError;

/// Why a bench came to no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The nodes could not be set up.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A client panicked.
    #[error("internal error: {0}")]
    Crashed(#[from] JoinError),
    /// Files that had to be there first could not be registered.
    #[error("preparing the bench failed: {0}")]
    Prepare(#[from] WriteError),
}

impl BenchError {
    /// Whether the command line is at fault.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            BenchError::Stage(error) => error.is_usage(),
            BenchError::Crashed(_) | BenchError::Prepare(_) => false,
        }
    }
}
