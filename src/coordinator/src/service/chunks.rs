//! Chunks: where their copies are, and why there.

use zephyrfs_core::engine::At;
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::row::{ChunkRow, NodeStatus, ReplicaState};

use super::{RequestContext, Service, ServiceError};

/// What nodes say of a chunk, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocationUpdate {
    /// The chunk.
    pub chunk_id: String,
    /// The nodes.
    pub node_ids: Vec<String>,
    /// `add` or `remove`.
    pub operation: String,
}

/// Which locations of a chunk a client wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocationsQuery {
    /// The chunk.
    pub chunk_id: String,
    /// Above 0: at most so many.
    pub preferred_count: i64,
}

/// A node to ask for a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkLocation {
    /// The node.
    pub node: NodeId,
    /// Its first address; empty if it registered without one.
    pub address: String,
}

/// A chunk as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDetails {
    /// Its id.
    pub id: ChunkId,
    /// Its content, home and replicas.
    pub chunk: ChunkRow,
}

/// Why a chunk's copies are where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkExplanation {
    /// The chunk.
    pub chunk: ChunkId,
    /// The replicas wanted.
    pub wanted: u32,
    /// The replicas there are.
    pub replicas: Vec<ExplainedReplica>,
    /// Every node that could take a further one, or could not and why.
    pub candidates: Vec<ExplainedCandidate>,
}

/// A replica and the state of its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedReplica {
    /// The node.
    pub node: NodeId,
    /// Whether the copy is known to be there.
    pub state: ReplicaState,
    /// The node's status; `None` if the node is not known.
    pub node_status: Option<NodeStatus>,
}

/// A node as a place for a further replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedCandidate {
    /// The node.
    pub node: NodeId,
    /// What keeps it from taking one; `None` where nothing does.
    pub exclusion: Option<String>,
}

impl Service {
    /// Records that nodes store a chunk, or no longer do.
    ///
    /// # Errors
    /// [`ServiceError`]; `UnknownOperation`, or `Rejected` if the chunk or a node is not known.
    pub async fn update_chunk_locations(
        &self,
        update: LocationUpdate,
        context: RequestContext,
    ) -> Result<At<()>, ServiceError> {
        todo!()
    }

    /// The nodes to ask for a chunk: only ones that are there, those that store it first.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the chunk is not known.
    pub async fn find_chunk_locations(
        &self,
        query: LocationsQuery,
        context: RequestContext,
    ) -> Result<At<Vec<ChunkLocation>>, ServiceError> {
        todo!()
    }

    /// One chunk.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the chunk is not known.
    pub async fn chunk(
        &self,
        chunk_id: String,
        context: RequestContext,
    ) -> Result<At<ChunkDetails>, ServiceError> {
        todo!()
    }

    /// Why a chunk's copies are where they are, and where a further one could go.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the chunk is not known.
    pub async fn explain_chunk(
        &self,
        chunk_id: String,
        context: RequestContext,
    ) -> Result<At<ChunkExplanation>, ServiceError> {
        todo!()
    }
}
