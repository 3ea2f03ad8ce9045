//! Windows of heartbeats.

use zephyrfs_proto::coordinator as wire;
use zephyrfs_proto::coordinator::heartbeat_result::Outcome;

use crate::api::error::verdict;
use crate::service::{At, NotableBeat, ServiceError};

/// The acknowledgement of a window.
pub(in crate::api::grpc) fn acknowledgement(
    sequence: u64,
    At { index, value }: At<Vec<NotableBeat>>,
) -> wire::HeartbeatWindowAck {
    wire::HeartbeatWindowAck {
        sequence,
        applied_index: index.get(),
        results: value.into_iter().map(result).collect(),
    }
}

fn result(
    NotableBeat {
        position,
        node,
        outcome,
    }: NotableBeat,
) -> wire::HeartbeatResult {
    let (outcome, message, tasks) = match outcome {
        Ok(tasks) => (Outcome::Tasks, String::new(), tasks),
        Err(error) => (outcome_of(&error), error.to_string(), Vec::new()),
    };
    wire::HeartbeatResult {
        // A window has no more beats than fit.
        position: u32::try_from(position).unwrap_or(u32::MAX),
        node_id: node.map(String::from).unwrap_or_default(),
        outcome: outcome.into(),
        message,
        tasks,
    }
}

fn outcome_of(error: &ServiceError) -> Outcome {
    match error {
        ServiceError::Invalid(_) | ServiceError::TooLarge(_) => Outcome::Malformed,
        error if verdict(error).is_outcome => Outcome::Register,
        // Also where it is not known what became of it: a beat may be sent twice.
        _ => Outcome::Again,
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::Rejection;
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::units::AppliedIndex;
    use zephyrfs_proto::coordinator::heartbeat_result::Outcome;

    use super::outcome_of;
    use crate::service::{InvalidField, ServiceError};

    #[test]
    fn a_node_registers_only_if_it_is_not_known_and_else_sends_its_beat_again() {
        let node = NodeId::from("n");
        let index = AppliedIndex::new(1);
        for rejection in [
            Rejection::NodeNotFound { node: node.clone() },
            Rejection::NodeRemoved { node },
        ] {
            let error = ServiceError::Rejected { rejection, index };
            assert_eq!(outcome_of(&error), Outcome::Register);
        }
        let malformed = ServiceError::Invalid(InvalidField::new("node_id", "must not be empty"));
        assert_eq!(outcome_of(&malformed), Outcome::Malformed);
        let reason = || "later".to_owned();
        for error in [
            ServiceError::Unavailable { reason: reason() },
            ServiceError::Overloaded { reason: reason() },
            ServiceError::UnknownOutcome { reason: reason() },
            ServiceError::DeadlineExceeded { reason: reason() },
            ServiceError::Internal,
        ] {
            assert_eq!(outcome_of(&error), Outcome::Again, "{error:?}");
        }
    }
}
