//! The database's errors as the engine's.

use zephyrfs_core::engine::EngineError;

use crate::error::StoreError;

/// What went wrong before anything was committed.
pub(super) fn nothing_happened(error: StoreError) -> EngineError {
    match error {
        StoreError::Busy | StoreError::Crowded(_) => EngineError::Overloaded {
            reason: error.to_string(),
        },
        StoreError::Conflict(_) => EngineError::Overloaded {
            reason: "the same rows are being written by too many at once".to_owned(),
        },
        // It is complete by itself.
        StoreError::Unusable(reason) => EngineError::Unavailable { reason },
        StoreError::Gone(_)
        | StoreError::ReadOnly(_)
        | StoreError::Full(_)
        | StoreError::Refused(_)
        | StoreError::Denied(_)
        | StoreError::Tls(_)
        | StoreError::TooSlow => EngineError::Unavailable {
            reason: error.to_string(),
        },
        StoreError::Corrupt(_) | StoreError::Other(_) => EngineError::Failed {
            reason: error.to_string(),
        },
    }
}
