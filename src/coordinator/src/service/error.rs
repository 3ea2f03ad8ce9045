//! Why a request was not answered with what it asked for.
//!
//! How each of these looks on the wire is decided in one table, `api::error`.

use zephyrfs_core::Rejection;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::repair::Shortfall;
use zephyrfs_core::units::AppliedIndex;

/// A value of a request that cannot be what the client meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// Which value, as the client wrote it: `chunks[3].size`.
    pub field: String,
    /// What is wrong with it, in words that follow the field's name: `must not be negative, got -1`.
    pub problem: String,
}

impl InvalidField {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

/// Why a request was not answered with what it asked for. In every case but [`Self::UnknownOutcome`] nothing
/// changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// A value is malformed: the same request will never do.
    #[error("{0}")]
    Invalid(InvalidField),
    /// A value is well-formed and more than the limit.
    #[error("{0}")]
    TooLarge(InvalidField),
    /// The request contradicts what is stored; the field says where.
    #[error("{field}")]
    Conflict {
        /// Which value, and what is stored instead.
        field: InvalidField,
        /// The state that was compared with.
        index: AppliedIndex,
    },
    /// An operation that nobody knows was asked for.
    #[error("unknown operation {operation:?}: use \"add\" or \"remove\"")]
    UnknownOperation {
        /// What was asked for.
        operation: String,
    },
    /// The rules refuse it: no such node, no room, and their like.
    #[error("{rejection}")]
    Rejected {
        /// The rules' reason.
        rejection: Rejection,
        /// The state in which it was refused.
        index: AppliedIndex,
    },
    /// Nothing happened, and the same request may be sent again at once: there is no leader just now.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
    },
    /// Nothing happened: too much is waiting already. Sent again a little later, it may do.
    #[error("{reason}")]
    Overloaded {
        /// What is full.
        reason: String,
    },
    /// Nothing happened: as many watch here as may. At another replica there may be room.
    #[error("{limit} watchers are here already, as many as may be; watch at another replica")]
    TooManyWatchers {
        /// How many may.
        limit: usize,
    },
    /// What changed after an index is forgotten here.
    #[error(
        "what changed after index {after} is forgotten: read the state anew, and watch after its index, {oldest} at the least"
    )]
    TooOld {
        /// The index that was to be gone on from.
        after: AppliedIndex,
        /// The least index that can be.
        oldest: AppliedIndex,
    },
    /// A watch ends before its time. Nothing is lost: it can go on, here or elsewhere.
    #[error("{reason}; watch again after index {resume_after}")]
    WatchInterrupted {
        /// Why.
        reason: String,
        /// Everything that was asked for up to here was given.
        resume_after: AppliedIndex,
    },
    /// The write was handed over and no answer came in time: it may or may not take effect.
    #[error("{reason}")]
    UnknownOutcome {
        /// What went wrong and how to go on.
        reason: String,
    },
    /// The client's time ran out, and nothing was handed over.
    #[error("{reason}")]
    DeadlineExceeded {
        /// What was being waited for.
        reason: String,
    },
    /// No replica of the coordinator has the name that was given.
    #[error("{reason}")]
    NoSuchMember {
        /// The name, and those there are.
        reason: String,
    },
    /// A change to the coordinator's own replicas would not be safe, or cannot be made.
    #[error("{reason}")]
    ClusterRefused {
        /// Why, with the safe next command.
        reason: String,
    },
    /// A node is not drained, since the other nodes could not take over what lies on it.
    #[error("node {node} is not drained: {shortfall}; add nodes, or drain it all the same with force")]
    DrainRefused {
        /// The node.
        node: NodeId,
        /// What is missing.
        shortfall: Shortfall,
        /// The state in which it was refused.
        index: AppliedIndex,
    },
    /// No task has this id, or no longer.
    #[error("{reason}")]
    NoSuchTask {
        /// What is still known of it.
        reason: String,
        /// The state that was looked through.
        index: AppliedIndex,
    },
    /// The coordinator failed; the details are in its log only.
    #[error("the coordinator failed; its log says why")]
    Internal,
}

impl From<InvalidField> for ServiceError {
    fn from(field: InvalidField) -> Self {
        Self::Invalid(field)
    }
}

impl ServiceError {
    /// The state that the answer was found in, where there is one.
    pub const fn applied_index(&self) -> Option<AppliedIndex> {
        match self {
            Self::Conflict { index, .. }
            | Self::Rejected { index, .. }
            | Self::NoSuchTask { index, .. }
            | Self::DrainRefused { index, .. } => Some(*index),
            Self::Invalid(_)
            | Self::TooLarge(_)
            | Self::UnknownOperation { .. }
            | Self::Unavailable { .. }
            | Self::Overloaded { .. }
            | Self::TooManyWatchers { .. }
            | Self::TooOld { .. }
            | Self::WatchInterrupted { .. }
            | Self::UnknownOutcome { .. }
            | Self::DeadlineExceeded { .. }
            | Self::NoSuchMember { .. }
            | Self::ClusterRefused { .. }
            | Self::Internal => None,
        }
    }
}
