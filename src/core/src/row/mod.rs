//! The kinds of rows: what the coordinator remembers.
//!
//! This is the logical picture that the rules see and that dumps, snapshots and exports carry. How an engine lays it out
//! on disk is the engine's own affair.

mod beat;
mod chunk;
mod contact;
mod drain;
mod file;
mod node;
mod release;
mod request;
mod task;
mod usage;

use serde::{Deserialize, Serialize};

pub use crate::status::{NodeStatus, ParseStatusError};
pub use beat::{BeatRow, NodeStats};
pub use chunk::{ChunkRow, Replica, ReplicaState};
pub use contact::Contact;
pub use drain::{AfterDrain, Drain};
pub use file::{FileChunk, FileRow};
pub use node::{NodeRow, Observed, Wanted};
pub use release::ReleaseRow;
pub use request::{Fingerprint, RequestRow};
pub use task::{TaskKind, TaskReason, TaskRow};
pub use usage::{Usage, users};

use crate::id::{ChunkId, FileId, NodeId, RequestId};
use crate::units::Timestamp;

/// Any row with its key, as dumps carry it. The order of the variants is the order of a dump.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// A storage node.
    Node(NodeId, NodeRow),
    /// A storage node's last heartbeat.
    Beat(NodeId, BeatRow),
    /// A file.
    File(FileId, FileRow),
    /// A chunk.
    Chunk(ChunkId, ChunkRow),
    /// A further file that holds a chunk, beside the chunk's home, with the chunk's index in it.
    Sharer(ChunkId, FileId, u32),
    /// The rest of a file's chunks that are still to be released.
    Release(RequestId, ReleaseRow),
    /// A remembered answer to a request with an idempotency key.
    Request(String, RequestRow),
    /// What a node is to do with a chunk.
    Task(NodeId, ChunkId, TaskRow),
}

impl Row {
    /// The latest time that it says something happened at; a deadline has yet to come.
    pub fn latest_time(&self) -> Timestamp {
        match self {
            Self::Node(_, node) => node.registered_at,
            Self::Beat(_, beat) => beat.at,
            Self::File(_, file) => file.created_at,
            Self::Chunk(_, chunk) => chunk.created_at,
            Self::Task(_, _, task) => task.created_at,
            Self::Sharer(..) | Self::Release(..) | Self::Request(..) => Timestamp::EPOCH,
        }
    }
}
