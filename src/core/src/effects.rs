//! What a decision comes to: the rows to write and the answer to give.

use crate::response::Response;
use crate::row::{BeatRow, ChunkRow, FileRow, NodeRow, ReleaseRow, RequestRow, TaskRow};
use crate::{id::ChunkId, id::FileId, id::NodeId, id::RequestId};

/// What follows from a command: written in one transaction, or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Effects {
    /// The rows to write, at most one mutation for each row.
    pub mutations: Vec<Mutation>,
    /// The answer.
    pub response: Response,
}

/// One row to write or delete.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// Writes a node. Nodes are never deleted: a removed one leaves a tombstone.
    PutNode(NodeId, NodeRow),
    /// Writes a node's last heartbeat.
    PutBeat(NodeId, BeatRow),
    /// Writes a file.
    PutFile(FileId, FileRow),
    /// Deletes a file.
    DeleteFile(FileId),
    /// Writes a chunk.
    PutChunk(ChunkId, ChunkRow),
    /// Deletes a chunk.
    DeleteChunk(ChunkId),
    /// Writes a sharer of a chunk, with the chunk's index in it.
    PutSharer(ChunkId, FileId, u32),
    /// Deletes a sharer of a chunk.
    DeleteSharer(ChunkId, FileId),
    /// Writes an unfinished release.
    PutRelease(RequestId, ReleaseRow),
    /// Deletes a release that is finished.
    DeleteRelease(RequestId),
    /// Remembers a request.
    PutRequest(String, RequestRow),
    /// Forgets a request.
    DeleteRequest(String),
    /// Writes what a node is to do with a chunk.
    PutTask(NodeId, ChunkId, TaskRow),
    /// Deletes what a node is to do with a chunk, if there is anything.
    DeleteTask(NodeId, ChunkId),
}

impl Effects {
    /// An answer that changes nothing.
    pub const fn answer(response: Response) -> Self {
        Self {
            mutations: Vec::new(),
            response,
        }
    }
}
