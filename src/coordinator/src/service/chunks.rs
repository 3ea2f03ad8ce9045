//! Chunks: where their copies are, and why there.

use zephyrfs_core::command::{LocationChange, UpdateChunkLocations};
use zephyrfs_core::engine::At;
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::placement::{Purpose, explain};
use zephyrfs_core::row::{ChunkRow, NodeStatus, ReplicaState};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Command, ReadSet, Rejection, Response, View};

use super::engine_error::wrong_answer;
use super::error::ServiceError;
use super::fingerprint::Fingerprinter;
use super::freshness::local_at;
use super::request::{LocationUpdate, LocationsQuery, RequestContext};
use super::state::Service;
use super::validate::{self, ValidLocationUpdate};

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
        let ValidLocationUpdate { chunk, nodes, change } = validate::location_update(&self.limits, update)?;
        let operation = match change {
            LocationChange::Add => "add_chunk_locations",
            LocationChange::Remove => "remove_chunk_locations",
        };
        let fingerprint = Fingerprinter::of(operation)
            .text(chunk.as_str())
            .list(&nodes, |print, node| print.text(node.as_str()))
            .finish();
        let idempotency = self.idempotency(&context, fingerprint)?;
        let command = Command::UpdateChunkLocations(UpdateChunkLocations {
            chunk,
            nodes,
            change,
            max_replicas: self.policy.max_nodes_per_chunk,
        });
        let At { index, value } = self.propose(command, idempotency, context.deadline).await?;
        let Response::ChunkLocationsUpdated = value else {
            return Err(wrong_answer("update_chunk_locations"));
        };
        Ok(At { index, value: () })
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
        let LocationsQuery {
            chunk_id,
            preferred_count,
        } = query;
        let id: ChunkId = validate::id(&self.limits, "chunk_id", chunk_id)?;
        let limit = validate::count_or_all("preferred_count", preferred_count)?;
        let At { index, value: view } = self.view_of_chunk(&id, &context).await?;
        let chunk = known(&view, &id, index)?;
        let value = view
            .readable_nodes(chunk)
            .take(limit)
            .map(|(node, row)| ChunkLocation {
                node: node.clone(),
                address: row.first_address().to_owned(),
            })
            .collect();
        Ok(At { index, value })
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
        let id: ChunkId = validate::id(&self.limits, "chunk_id", chunk_id)?;
        let At { index, value: view } = self.view_of_chunk(&id, &context).await?;
        let chunk = known(&view, &id, index)?.clone();
        let value = ChunkDetails { id, chunk };
        Ok(At { index, value })
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
        let id: ChunkId = validate::id(&self.limits, "chunk_id", chunk_id)?;
        let At { index, value: view } = self.view_of_chunk(&id, &context).await?;
        let chunk = known(&view, &id, index)?;
        // The chunk was read as fresh as was asked; the nodes need be no fresher.
        let nodes = self.nodes_read_anew(local_at(index), context.deadline).await?;
        let replicas = chunk
            .replicas
            .iter()
            .map(|replica| ExplainedReplica {
                node: replica.node.clone(),
                state: replica.state,
                node_status: view.nodes.get(&replica.node).map(|node| node.status()),
            })
            .collect();
        let value = ChunkExplanation {
            wanted: self.policy.replication_factor,
            replicas,
            candidates: explain(
                chunk,
                &nodes.candidates,
                &nodes.topology,
                self.policy.placement(),
                Purpose::New,
            )
            .into_iter()
            .map(|(node, verdict)| ExplainedCandidate {
                node,
                exclusion: verdict.err().map(|exclusion| exclusion.to_string()),
            })
            .collect(),
            chunk: id,
        };
        Ok(At { index, value })
    }

    async fn view_of_chunk(&self, id: &ChunkId, context: &RequestContext) -> Result<At<View>, ServiceError> {
        let reads = ReadSet {
            chunks: vec![id.clone()],
            replica_nodes: true,
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, context.freshness);
        self.read("the chunk", context.deadline, view).await
    }
}

/// The chunk, if some file holds it.
fn known<'a>(view: &'a View, id: &ChunkId, index: AppliedIndex) -> Result<&'a ChunkRow, ServiceError> {
    view.referenced_chunk(id).ok_or_else(|| ServiceError::Rejected {
        rejection: Rejection::ChunkNotFound { chunk: id.clone() },
        index,
    })
}
