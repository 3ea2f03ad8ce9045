//! How far the drain of a node is, and what keeps the rest of its chunks.

use std::time::Instant;

use zephyrfs_core::engine::{At, ChunkScan};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::{Progress, judge, progress};
use zephyrfs_core::row::{ChunkRow, Drain, NodeStatus, ReplicaState};
use zephyrfs_core::{ReadSet, Rejection, View};

use super::error::ServiceError;
use super::freshness::local_at;
use super::picture::Picture;
use super::request::RequestContext;
use super::state::Service;
use super::validate;

/// So many chunks are looked at for those that are left on a node before the answer is given with what was found.
const MAX_LOOKED_AT: usize = 2_000_000;

/// Chunks read at a time.
const PAGE: usize = 1_000;

/// So many chunks that are left are named at most.
const MAX_NAMED: usize = 100;

/// How far a drain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainStatus {
    /// The node.
    pub node: NodeId,
    /// Its status.
    pub status: NodeStatus,
    /// What there was when it began, and what becomes of the node then.
    pub drain: Drain,
    /// How far it is.
    pub progress: Progress,
    /// Some of the chunks that are left, with what each waits for.
    pub left: Vec<LeftChunk>,
}

/// A chunk that is left on a draining node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftChunk {
    /// The chunk.
    pub chunk: ChunkId,
    /// What it waits for, in words.
    pub reason: String,
}

impl Service {
    /// How far the drain of a node is. `named` chunks that are left are looked for and given with what keeps them.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known, was unregistered, or is not draining.
    pub async fn drain_status(
        &self,
        node_id: String,
        named: usize,
        context: RequestContext,
    ) -> Result<At<DrainStatus>, ServiceError> {
        let node: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        let reads = ReadSet {
            nodes: vec![node.clone()],
            usage: vec![node.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, context.freshness);
        let At { index, value: view } = self.read("the node", context.deadline, view).await?;
        let (status, drain) =
            draining(&view, &node).map_err(|rejection| ServiceError::Rejected { rejection, index })?;
        let usage = view.usage.get(&node).copied().unwrap_or_default();
        let left = if named > 0 && !usage.is_empty() {
            self.left_on(&node, named.min(MAX_NAMED), index, &context).await?
        } else {
            Vec::new()
        };
        let value = DrainStatus {
            progress: progress(&drain, usage, self.engine.now()),
            node,
            status,
            drain,
            left,
        };
        Ok(At { index, value })
    }

    async fn left_on(
        &self,
        node: &NodeId,
        named: usize,
        index: zephyrfs_core::units::AppliedIndex,
        context: &RequestContext,
    ) -> Result<Vec<LeftChunk>, ServiceError> {
        let picture = self.nodes_read_anew(local_at(index), context.deadline).await?;
        let mut left = Vec::new();
        let (mut cursor, mut looked_at) = (None, 0);
        while left.len() < named && looked_at < MAX_LOOKED_AT {
            let scan = self.engine.scan_chunks(cursor, PAGE);
            let ChunkScan { items, next } = self.read("the chunks", context.deadline, scan).await?;
            looked_at += items.len();
            for (chunk, row) in items {
                let is_left = row
                    .replica_on(node)
                    .is_some_and(|replica| replica.state == ReplicaState::Stored && row.is_referenced());
                if is_left {
                    let reason = self
                        .what_keeps(node, (&chunk, &row), &picture, context.deadline)
                        .await?;
                    left.push(LeftChunk { chunk, reason });
                }
                if left.len() == named {
                    break;
                }
            }
            match next {
                Some(place) => cursor = Some(place),
                None => break,
            }
            tokio::task::yield_now().await;
        }
        Ok(left)
    }

    /// What a chunk waits for before its copy on a draining node can go.
    async fn what_keeps(
        &self,
        node: &NodeId,
        (id, row): (&ChunkId, &ChunkRow),
        picture: &Picture,
        deadline: Option<Instant>,
    ) -> Result<String, ServiceError> {
        let judgement = judge(row, picture, self.engine.now(), &self.policy.repair());
        let is_enough =
            judgement.missing == 0 && judgement.sure.len() >= self.policy.replication_factor as usize;
        if is_enough && judgement.has_source && picture.brake.is_none() {
            // A silent node cannot be told anything.
            let next = if judgement.forgettable.contains(node) {
                "the node is silent, and its own is about to be forgotten"
            } else {
                "the node is about to be told to drop its own"
            };
            return Ok(format!("enough copies are stored elsewhere; {next}"));
        }
        self.what_a_copy_waits_for(id, row, &judgement, picture, deadline)
            .await
    }
}

/// The drain of a node, with the node's status.
fn draining(view: &View, node: &NodeId) -> Result<(NodeStatus, Drain), Rejection> {
    let row = view
        .nodes
        .get(node)
        .ok_or_else(|| Rejection::NodeNotFound { node: node.clone() })?;
    if row.is_removed() {
        return Err(Rejection::NodeRemoved { node: node.clone() });
    }
    let drain = row
        .drain()
        .ok_or_else(|| Rejection::NotDraining { node: node.clone() })?;
    Ok((row.status(), *drain))
}
