//! How urgent work on a chunk is: strict classes, the most urgent first.

use crate::row::TaskReason;

/// What kind of work a task is, the most urgent first. Work of one class never takes what the classes above it need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// One copy is stored.
    LastCopy,
    /// At most half of the copies wanted are stored.
    FewCopies,
    /// There are fewer copies than wanted.
    UnderTarget,
    /// Copies share a failure domain though another is free.
    Misplaced,
    /// A node is to give up its chunks.
    Drain,
    /// Copies that others make up for are dropped.
    Trim,
    /// Copies move from full nodes to empty ones.
    Rebalance,
    /// Copies that no file needs are dropped.
    Garbage,
}

impl Class {
    /// Every class, the most urgent first.
    pub const ALL: [Self; 8] = [
        Self::LastCopy,
        Self::FewCopies,
        Self::UnderTarget,
        Self::Misplaced,
        Self::Drain,
        Self::Trim,
        Self::Rebalance,
        Self::Garbage,
    ];

    /// The word that operators and dashboards see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastCopy => "last_copy",
            Self::FewCopies => "few_copies",
            Self::UnderTarget => "under_target",
            Self::Misplaced => "misplaced",
            Self::Drain => "drain",
            Self::Trim => "trim",
            Self::Rebalance => "rebalance",
            Self::Garbage => "garbage",
        }
    }

    /// Whether chunks of this class have too few copies, rather than badly placed or needless ones.
    pub const fn is_lack(self) -> bool {
        matches!(self, Self::LastCopy | Self::FewCopies | Self::UnderTarget)
    }
}

impl From<TaskReason> for Class {
    fn from(reason: TaskReason) -> Self {
        match reason {
            TaskReason::LastCopy => Self::LastCopy,
            TaskReason::FewCopies => Self::FewCopies,
            TaskReason::UnderTarget | TaskReason::Unconfirmed => Self::UnderTarget,
            TaskReason::Misplaced => Self::Misplaced,
            TaskReason::Draining => Self::Drain,
            TaskReason::Surplus => Self::Trim,
            TaskReason::Rebalance => Self::Rebalance,
            TaskReason::Unreferenced | TaskReason::Replaced => Self::Garbage,
        }
    }
}
