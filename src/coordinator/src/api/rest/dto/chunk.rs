//! Chunks: where their copies are, and why there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bounded::{NodeIds, Operation};
use crate::service::{self, ChunkLocation, ExplainedCandidate, ExplainedReplica, LocationUpdate};

/// What nodes say of a chunk.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({"node_ids": ["node-1"], "operation": "add"})))]
pub(in crate::api::rest) struct UpdateChunkLocationsRequest {
    /// At least one.
    #[schema(value_type = NodeIds)]
    node_ids: Vec<String>,
    /// Whether the nodes store the chunk, or no longer do.
    #[schema(value_type = Operation)]
    operation: String,
}

impl UpdateChunkLocationsRequest {
    /// The update of the chunk in the path.
    pub(in crate::api::rest) fn of(self, chunk_id: String) -> LocationUpdate {
        let Self { node_ids, operation } = self;
        LocationUpdate {
            chunk_id,
            node_ids,
            operation,
        }
    }
}

/// The nodes to ask for a chunk.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct FindChunkLocationsResponse {
    success: bool,
    message: String,
    /// Those that store it, then those told to take it.
    node_ids: Vec<String>,
    /// In the same order: the first address of each.
    node_addresses: Vec<String>,
}

impl FindChunkLocationsResponse {
    /// The chunk is known.
    pub(in crate::api::rest) fn found(locations: Vec<ChunkLocation>) -> Self {
        let (node_ids, node_addresses) = locations
            .into_iter()
            .map(|ChunkLocation { node, address }| (String::from(node), address))
            .unzip();
        Self {
            success: true,
            message: "Chunk found".to_owned(),
            node_ids,
            node_addresses,
        }
    }

    /// It is not.
    pub(in crate::api::rest) const fn refused(message: String) -> Self {
        Self {
            success: false,
            message,
            node_ids: Vec::new(),
            node_addresses: Vec::new(),
        }
    }
}

/// A chunk.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ChunkDetails {
    chunk_id: String,
    hash: String,
    /// Bytes.
    size: i64,
    /// Where it stands in `file_id`.
    index: i32,
    /// The first of the files that hold it.
    file_id: String,
    /// The nodes that store it, then those told to take it.
    stored_at_nodes: Vec<String>,
    /// Unix seconds.
    created_at: i64,
}

impl From<service::ChunkDetails> for ChunkDetails {
    fn from(details: service::ChunkDetails) -> Self {
        let service::ChunkDetails { id, chunk } = details;
        let stored_at_nodes = chunk.nodes_stored_first().cloned().map(String::from).collect();
        Self {
            chunk_id: id.into(),
            hash: chunk.hash.into(),
            size: chunk.size.to_wire(),
            index: i32::try_from(chunk.index).unwrap_or(i32::MAX),
            file_id: chunk.home.map(String::from).unwrap_or_default(),
            stored_at_nodes,
            created_at: chunk.created_at.as_unix_seconds(),
        }
    }
}

/// Why a chunk's copies are where they are.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ChunkExplanation {
    chunk_id: String,
    wanted_replicas: i32,
    replicas: Vec<ReplicaDetails>,
    /// Every node that could take a further replica, or could not and why.
    candidates: Vec<CandidateDetails>,
}

/// A replica and the state of its node.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ReplicaDetails {
    node_id: String,
    /// `stored` (the node said so) or `assigned` (it was told to take it).
    state: &'static str,
    /// active, inactive, maintenance or draining; null if the node is not known.
    node_status: Option<&'static str>,
}

/// A node as a place for a further replica.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct CandidateDetails {
    node_id: String,
    eligible: bool,
    /// What keeps it from taking one; null where nothing does.
    reason: Option<String>,
}

impl From<service::ChunkExplanation> for ChunkExplanation {
    fn from(explanation: service::ChunkExplanation) -> Self {
        let service::ChunkExplanation {
            chunk,
            wanted,
            replicas,
            candidates,
        } = explanation;
        Self {
            chunk_id: chunk.into(),
            wanted_replicas: i32::try_from(wanted).unwrap_or(i32::MAX),
            replicas: replicas.into_iter().map(ReplicaDetails::from).collect(),
            candidates: candidates.into_iter().map(CandidateDetails::from).collect(),
        }
    }
}

impl From<ExplainedReplica> for ReplicaDetails {
    fn from(replica: ExplainedReplica) -> Self {
        let ExplainedReplica {
            node,
            state,
            node_status,
        } = replica;
        Self {
            node_id: node.into(),
            state: state.as_str(),
            node_status: node_status.map(|status| status.as_str()),
        }
    }
}

impl From<ExplainedCandidate> for CandidateDetails {
    fn from(candidate: ExplainedCandidate) -> Self {
        let ExplainedCandidate { node, exclusion } = candidate;
        Self {
            node_id: node.into(),
            eligible: exclusion.is_none(),
            reason: exclusion,
        }
    }
}
