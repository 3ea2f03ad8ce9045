//! Why a command had no effect: the business's own reasons, none of them a failure of the machinery.

use serde::{Deserialize, Serialize};

use crate::id::{ChunkId, FileId, NodeId};
use crate::units::ByteSize;

/// Why a command had no effect. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// No node has this id.
    #[error("node {node} is not registered")]
    NodeNotFound {
        /// The id.
        node: NodeId,
    },
    /// The node was unregistered.
    #[error("node {node} was unregistered; it must register again")]
    NodeRemoved {
        /// The id.
        node: NodeId,
    },
    /// No file has this id.
    #[error("file {file} is not registered")]
    FileNotFound {
        /// The id.
        file: FileId,
    },
    /// No chunk has this id.
    #[error("chunk {chunk} is not known")]
    ChunkNotFound {
        /// The id.
        chunk: ChunkId,
    },
    /// A chunk's id is in use for other content.
    #[error("chunk {chunk} is known with {known}; the same chunk id must mean the same content")]
    ChunkConflict {
        /// The id.
        chunk: ChunkId,
        /// What is known of the chunk and differs, in words.
        known: String,
    },
    /// A file names a chunk, or an index, twice.
    #[error("chunk {chunk} or its index appears twice in the file")]
    DuplicateChunk {
        /// The chunk.
        chunk: ChunkId,
    },
    /// No active node has room.
    #[error(
        "no active node has room for chunk {chunk} of {size}; a node is active while it sends heartbeats"
    )]
    NoRoom {
        /// The first chunk that found no place.
        chunk: ChunkId,
        /// Its length.
        size: ByteSize,
    },
    /// The nodes that were chosen beforehand are no longer there. Choosing again will do.
    #[error("the nodes chosen for chunk {chunk} are no longer active")]
    PlacementStale {
        /// The first chunk whose nodes are all gone.
        chunk: ChunkId,
    },
    /// A chunk has as many replicas as are allowed.
    #[error("chunk {chunk} has {limit} replicas, as many as coordinator.max_nodes_per_chunk allows")]
    TooManyReplicas {
        /// The chunk.
        chunk: ChunkId,
        /// The limit.
        limit: u32,
    },
    /// An idempotency key was used before, for another request.
    #[error("the idempotency key {key:?} was used for another request; use a new key")]
    IdempotencyKeyReused {
        /// The key.
        key: String,
    },
    /// No unfinished release has this id: another page finished it.
    #[error("the release is already finished")]
    ReleaseFinished,
    /// Every node chosen for a chunk is still to drop an old copy of it.
    #[error(
        "old copies of chunk {chunk} are being deleted from every node that could take it; try again when they are gone"
    )]
    ChunkBeingDeleted {
        /// The chunk.
        chunk: ChunkId,
    },
    /// A node was told to drop its copy, so it cannot say that it stores one.
    #[error(
        "node {node} is to delete its copy of chunk {chunk}; it must report that it did before it stores a new one"
    )]
    CopyBeingDeleted {
        /// The chunk.
        chunk: ChunkId,
        /// The node.
        node: NodeId,
    },
    /// The node is not draining, so there is no drain to cancel.
    #[error("node {node} is not draining")]
    NotDraining {
        /// The node.
        node: NodeId,
    },
    /// The node gave up its chunks and may be switched off at any time.
    #[error("node {node} is drained and takes no chunks; activate it first")]
    NodeDrained {
        /// The node.
        node: NodeId,
    },
}
