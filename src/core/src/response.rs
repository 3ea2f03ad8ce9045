//! What commands answer. Stored beside idempotency keys, so a variant's meaning never changes once shipped.

use serde::{Deserialize, Serialize};

use crate::id::{ChunkId, NodeId};
use crate::status::NodeStatus;

/// The answer to a command that took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// A node is registered.
    NodeRegistered {
        /// Its id.
        node: NodeId,
        /// First addresses of other active nodes, for it to start from.
        peers: Vec<String>,
        /// Whether the id was registered before.
        known: bool,
    },
    /// A node is unregistered.
    NodeUnregistered,
    /// What is wanted of a node has changed.
    NodeStateSet {
        /// The node's status now.
        status: NodeStatus,
    },
    /// Heartbeats are recorded.
    HeartbeatsRecorded {
        /// Nodes that are not registered, or no longer.
        refused: Vec<NodeId>,
    },
    /// Silent nodes are marked.
    NodesExpired {
        /// Nodes that are inactive from now on.
        inactive: Vec<NodeId>,
        /// Nodes whose maintenance is over.
        back_in_service: Vec<NodeId>,
    },
    /// A file is registered.
    FileRegistered {
        /// Where each of its chunks goes, in ascending order of their index.
        placements: Vec<Placement>,
        /// The replicas wanted for each chunk.
        wanted: u32,
    },
    /// A file is deleted.
    FileDeleted,
    /// A chunk's locations are updated.
    ChunkLocationsUpdated,
    /// A page of chunks is released.
    ChunksReleased {
        /// How many are still to be released.
        left: u64,
    },
    /// What had expired is forgotten.
    Forgotten {
        /// Remembered requests that are gone.
        requests: u64,
    },
    /// Nodes have new tasks.
    TasksStarted {
        /// How many tasks.
        started: u64,
    },
    /// Nodes are to drop copies of chunks that no file holds.
    CopiesDeleted {
        /// How many copies.
        started: u64,
        /// How many chunks are gone, since no node has a copy.
        forgotten: u64,
    },
    /// Nodes have more time for tasks.
    TasksRenewed {
        /// How many tasks.
        renewed: u64,
    },
    /// Tasks are taken back.
    TasksAbandoned {
        /// How many tasks.
        abandoned: u64,
    },
    /// Copies on unregistered nodes are forgotten.
    ReplicasForgotten {
        /// How many copies.
        forgotten: u64,
    },
    /// Nodes are to drop copies that others make up for.
    CopiesTrimmed {
        /// How many copies.
        trimmed: u64,
    },
    /// Drains are done.
    DrainsFinished {
        /// Nodes that are empty from now on, and stay registered.
        drained: Vec<NodeId>,
        /// Nodes that were empty, and are unregistered.
        removed: Vec<NodeId>,
    },
    /// What a node holds is recorded.
    InventoryRecorded {
        /// Copies that the coordinator did not know of, of chunks that it knows.
        found: u64,
        /// Copies that the node should have and has not, or not in this form.
        missing: u64,
        /// Copies of chunks that the coordinator does not know; they are kept for a while and then deleted.
        quarantined: u64,
    },
    /// Silent nodes are no longer waited for.
    NodesWrittenOff {
        /// How many nodes.
        nodes: u64,
    },
}

/// Where a chunk goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The chunk.
    pub chunk: ChunkId,
    /// The nodes that hold it or are told to take it.
    pub nodes: Vec<NodeId>,
}
