//! What went wrong in the engine, as the service says it. What only the operator may read goes to the log.

use tracing::error;
use zephyrfs_core::engine::{ClusterError, EngineError};

use super::error::ServiceError;

/// The engine's error as the service's. `is_keyed` is whether the request carried an idempotency key.
pub(super) fn translate(error: EngineError, is_keyed: bool) -> ServiceError {
    match error {
        EngineError::Rejected { rejection, index } => ServiceError::Rejected { rejection, index },
        EngineError::Unavailable { reason } => ServiceError::Unavailable { reason },
        EngineError::Overloaded { reason } => ServiceError::Overloaded { reason },
        EngineError::UnknownOutcome { reason } => unknown_outcome(&reason, is_keyed),
        EngineError::TimedOut { reason } => ServiceError::DeadlineExceeded { reason },
        EngineError::Failed { reason } => {
            error!(reason, "The engine failed to answer a request");
            ServiceError::Internal
        }
    }
}

/// Why the coordinator's own replicas were not changed, as the service's error.
pub(super) fn translate_cluster(error: ClusterError) -> ServiceError {
    match error {
        error @ ClusterError::NoSuchMember { .. } => ServiceError::NoSuchMember {
            reason: error.to_string(),
        },
        ClusterError::Refused { reason } => ServiceError::ClusterRefused { reason },
        ClusterError::Unavailable { reason } => ServiceError::Unavailable { reason },
        ClusterError::UnknownOutcome { reason } => ServiceError::UnknownOutcome {
            reason: format!(
                "{reason}; the change may or may not be made: look at the cluster's status before you ask for it again"
            ),
        },
    }
}

/// A write that was handed over and not answered.
pub(super) fn unknown_outcome(reason: &str, is_keyed: bool) -> ServiceError {
    let advice = if is_keyed {
        "send it again with the same idempotency key: it takes effect once"
    } else {
        "look whether it did before sending it again; with an idempotency key it could simply be sent again"
    };
    ServiceError::UnknownOutcome {
        reason: format!("{reason}; the write may or may not take effect: {advice}"),
    }
}

/// An answer of the wrong kind: a defect, which only the log can tell.
pub(super) fn wrong_answer(command: &str) -> ServiceError {
    error!(command, "The engine answered a command with another one's answer");
    ServiceError::Internal
}

/// A row that other rows promise and that is not there: a defect, which only the log can tell.
pub(super) fn broken_state(what: &str) -> ServiceError {
    error!(
        what,
        "The stored state contradicts itself; run a backup and compare replicas"
    );
    ServiceError::Internal
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::Rejection;
    use zephyrfs_core::engine::EngineError;
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::units::AppliedIndex;

    use super::translate;
    use crate::service::error::ServiceError;

    #[test]
    fn an_unknown_outcome_says_how_to_go_on() {
        let lost = || EngineError::UnknownOutcome {
            reason: "the leader did not answer".to_owned(),
        };
        let keyed = translate(lost(), true).to_string();
        assert!(keyed.contains("may or may not take effect"), "{keyed}");
        assert!(keyed.contains("again with the same idempotency key"), "{keyed}");
        let bare = translate(lost(), false).to_string();
        assert!(bare.contains("look whether it did"), "{bare}");
    }

    #[test]
    fn a_failure_keeps_its_details_to_the_log() {
        let failed = EngineError::Failed {
            reason: "disk /data is broken".to_owned(),
        };
        let error = translate(failed, false);
        assert_eq!(error, ServiceError::Internal);
        assert!(!error.to_string().contains("disk"));
    }

    #[test]
    fn a_rejection_keeps_the_index_it_was_decided_at() {
        let rejection = Rejection::NodeNotFound {
            node: NodeId::from("n"),
        };
        let index = AppliedIndex::new(7);
        let error = translate(EngineError::Rejected { rejection, index }, false);
        assert_eq!(error.applied_index(), Some(index));
    }
}
