//! What a storage node is to do with its copy of a chunk.

use serde::{Deserialize, Serialize};

use crate::id::{NodeId, TaskId};
use crate::units::{ByteSize, Timestamp};

/// A task: one node, one chunk. There is at most one for each such pair, and it ends when the node says that it is done.
///
/// What it needs besides (the content's hash, further sources) is in the chunk's row and is read when the task is handed
/// out, so that it is never out of date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRow {
    /// Its id, by which nodes and operators speak of it.
    pub id: TaskId,
    /// What to do.
    pub kind: TaskKind,
    /// Why.
    pub reason: TaskReason,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is the node's alone; after that it is renewed, or taken back.
    pub deadline: Timestamp,
    /// How often the node was given time for it, from 1.
    pub attempt: u32,
    /// The node that is to be asked first for the chunk, and whose share of work the copy counts to.
    pub source: Option<NodeId>,
    /// The chunk's length.
    pub size: ByteSize,
}

/// What a node is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskKind {
    /// Fetch the chunk from a node that has it, and store it.
    Replicate,
    /// Drop its copy.
    Delete,
}

impl TaskRow {
    /// Whether the node is to drop its copy because others make up for it, and not because nobody needs it.
    pub const fn drops_spare(&self) -> bool {
        matches!(self.kind, TaskKind::Delete)
            && matches!(self.reason, TaskReason::Surplus | TaskReason::Draining)
    }
}

impl TaskKind {
    /// Every kind, in the order in which they are counted.
    pub const ALL: [Self; 2] = [Self::Replicate, Self::Delete];

    /// The word that nodes and operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replicate => "replicate",
            Self::Delete => "delete",
        }
    }
}

/// Why a node is to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskReason {
    /// One copy is stored.
    LastCopy,
    /// At most half of the copies wanted are stored.
    FewCopies,
    /// There are fewer copies than wanted.
    UnderTarget,
    /// A node that has a copy is to give up its chunks.
    Draining,
    /// No file holds the chunk any more.
    Unreferenced,
    /// The chunk's id stands for other content now.
    Replaced,
    /// There are fewer copies than wanted, and none is known to be stored: clients may not have brought the first one yet.
    Unconfirmed,
    /// Copies share a failure domain though another is free.
    Misplaced,
    /// There are more copies than wanted.
    Surplus,
    /// A node is much fuller than the others.
    Rebalance,
}

impl TaskReason {
    /// The words that operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastCopy => "one copy is stored",
            Self::FewCopies => "at most half of the copies wanted are stored",
            Self::UnderTarget => "fewer copies than wanted",
            Self::Draining => "a node with a copy is draining",
            Self::Unreferenced => "no file holds the chunk",
            Self::Replaced => "the chunk has other content now",
            Self::Unconfirmed => "no copy is known to be stored",
            Self::Misplaced => "copies share a failure domain though another is free",
            Self::Surplus => "more copies than wanted",
            Self::Rebalance => "a node with a copy is much fuller than others",
        }
    }
}
