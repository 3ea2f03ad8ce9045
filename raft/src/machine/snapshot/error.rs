//! Why a snapshot is not taken in. None of it harms the state that is there: the sender tries again.

use crate::error::StoreError;

/// Why a part, or the whole snapshot, is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The parts are not what the sender made.
    #[error("the snapshot is refused: {0}")]
    Unsound(String),
    /// Another connection, or another snapshot, took over.
    #[error("another snapshot, or another attempt at the same one, took the place of this one")]
    Superseded,
    /// A complete snapshot waits to be installed.
    #[error("a snapshot that is complete is being installed; try again later")]
    Busy,
    /// It failed earlier, and what had come of it is gone.
    #[error("what was received of the snapshot is discarded: {0}")]
    Discarded(String),
    /// The replica is stopping.
    #[error("the replica is stopping")]
    Stopping,
    /// It cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
