//! The database's errors as the engine's.

use zephyrfs_core::engine::EngineError;

use crate::error::StoreError;

/// What went wrong before anything was committed.
pub(super) fn nothing_happened(error: StoreError) -> EngineError {
    let reason = error.to_string();
    match error {
        StoreError::Busy => EngineError::Overloaded { reason },
        StoreError::Conflict(_) => EngineError::Overloaded {
            reason: "the same rows are being written by too many at once".to_owned(),
        },
        StoreError::Gone(_)
        | StoreError::Unusable(_)
        | StoreError::ReadOnly(_)
        | StoreError::Full(_)
        | StoreError::Refused(_)
        | StoreError::TooSlow => EngineError::Unavailable { reason },
        StoreError::Corrupt(_) | StoreError::Other(_) => EngineError::Failed { reason },
    }
}
