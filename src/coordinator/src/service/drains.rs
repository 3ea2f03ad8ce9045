//! How far the drain of a node is, and what keeps the rest of its chunks.

use std::fmt;
use std::time::Instant;

use zephyrfs_core::engine::{At, ChunkScan, Freshness};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::{Progress, judge, progress};
use zephyrfs_core::row::{ChunkRow, Drain, NodeRow, NodeStatus, ReplicaState, Wanted};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{ReadSet, Rejection, View};

use super::deadline::{nearly, until};
use super::error::{InvalidField, ServiceError};
use super::freshness::{local, local_at};
use super::picture::Picture;
use super::request::RequestContext;
use super::state::Service;
use super::validate;

/// So many chunks are looked at for those that are left on a node before the answer is given with what was found.
const MAX_LOOKED_AT: usize = 2_000_000;

/// Chunks read at a time.
const PAGE: usize = 1_000;

/// So many chunks that are left can be asked for.
pub(crate) const MAX_NAMED_CHUNKS: u32 = 100;

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

/// What became of a node of which something else is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeStateSet {
    /// Its status then.
    pub status: NodeStatus,
    /// Why its drain cannot end yet, if that is certain.
    pub hindrance: Option<TooFewNodes>,
}

/// Fewer other nodes are in service than copies of each chunk are wanted, so what lies on a node cannot all leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFewNodes {
    /// Other nodes in service.
    pub others: usize,
    /// Copies wanted.
    pub wanted: usize,
}

impl fmt::Display for NodeStateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match self.hindrance {
            None => Ok(()),
            Some(TooFewNodes { others, wanted }) => write!(
                f,
                "; the drain cannot end before further nodes come: {wanted} copies of each chunk are wanted, each on a node \
                 of its own, and the other nodes in service are {others}"
            ),
        }
    }
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
    /// How far the drain of a node is, or that it is over and the node was unregistered for it. `named` chunks that are left
    /// are looked for while there is time, and given with what keeps them.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known, was unregistered before its drain was over, or is not draining.
    pub async fn drain_status(
        &self,
        node_id: String,
        named: u32,
        context: RequestContext,
    ) -> Result<At<DrainStatus>, ServiceError> {
        let node: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        if named > MAX_NAMED_CHUNKS {
            let problem = format!("must be at most {MAX_NAMED_CHUNKS}, got {named}");
            return Err(InvalidField::new("chunks", problem).into());
        }
        let reads = ReadSet {
            nodes: vec![node.clone()],
            usage: vec![node.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, context.freshness);
        let At { index, value: view } = self.read("the node", context.deadline, view).await?;
        let (row, drain) =
            draining(&view, &node).map_err(|rejection| ServiceError::Rejected { rejection, index })?;
        // Copies on an unregistered node count for nothing. It can have some, of chunks that a file took up again since.
        let usage = view.usage.get(&node).filter(|_| !row.is_removed());
        let usage = usage.copied().unwrap_or_default();
        let left = if named > 0 && !usage.is_empty() {
            self.left_on(&node, named as usize, index, context.deadline)
                .await?
        } else {
            Vec::new()
        };
        let value = DrainStatus {
            progress: progress(&drain, usage, self.engine.now()),
            node,
            status: row.status(),
            drain,
            left,
        };
        Ok(At { index, value })
    }

    /// Why the drain of a node cannot end with the nodes that there are.
    pub(super) async fn what_hinders_drain(
        &self,
        node: &NodeId,
        deadline: Option<Instant>,
    ) -> Result<Option<TooFewNodes>, ServiceError> {
        let picture = self.nodes_read_anew(Freshness::default(), deadline).await?;
        let others = picture.candidates.iter().filter(|other| other.id != *node);
        let others = others.filter(|other| other.unfit.is_none()).count();
        let wanted = self.policy.replication_factor as usize;
        if others >= wanted {
            return Ok(None);
        }
        let reads = ReadSet {
            usage: vec![node.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, local());
        let view = self.read("what lies on the node", deadline, view).await?.value;
        let has_chunks = view.usage.get(node).is_some_and(|usage| !usage.is_empty());
        Ok(has_chunks.then_some(TooFewNodes { others, wanted }))
    }

    /// Chunks that are left on a node: those that are found before the time is nearly over.
    async fn left_on(
        &self,
        node: &NodeId,
        named: usize,
        index: AppliedIndex,
        deadline: Option<Instant>,
    ) -> Result<Vec<LeftChunk>, ServiceError> {
        let mut left = Vec::new();
        let search = self.look_for_left(node, named, index, deadline, &mut left);
        if let Some(ended) = until(nearly(deadline), search).await {
            ended?;
        }
        Ok(left)
    }

    /// Looks for `named` chunks that are left on a node; what is found stays when the search is given up.
    async fn look_for_left(
        &self,
        node: &NodeId,
        named: usize,
        index: AppliedIndex,
        deadline: Option<Instant>,
        left: &mut Vec<LeftChunk>,
    ) -> Result<(), ServiceError> {
        let picture = self.nodes_read_anew(local_at(index), deadline).await?;
        let (mut cursor, mut looked_at) = (None, 0);
        while left.len() < named && looked_at < MAX_LOOKED_AT {
            let scan = self.engine.scan_chunks(cursor, PAGE);
            let ChunkScan { items, next } = self.read("the chunks", deadline, scan).await?;
            looked_at += items.len();
            for (chunk, row) in items {
                let is_left = row
                    .replica_on(node)
                    .is_some_and(|replica| replica.state == ReplicaState::Stored && row.is_referenced());
                if is_left {
                    let reason = self.what_keeps(node, (&chunk, &row), &picture, deadline).await?;
                    left.push(LeftChunk { chunk, reason });
                    // To explain one takes a look at all nodes: others shall have their turn, and the time be kept.
                    tokio::task::yield_now().await;
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
        Ok(())
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

/// A node with the drain that it is in, or that it was unregistered after.
fn draining<'v>(view: &'v View, node: &NodeId) -> Result<(&'v NodeRow, Drain), Rejection> {
    let row = view
        .nodes
        .get(node)
        .ok_or_else(|| Rejection::NodeNotFound { node: node.clone() })?;
    match row.wanted {
        Wanted::Draining(drain) => Ok((row, drain)),
        Wanted::Removed {
            drain: Some(drain), ..
        } if drain.done_at.is_some() => Ok((row, drain)),
        Wanted::Removed { .. } => Err(Rejection::NodeRemoved { node: node.clone() }),
        Wanted::InService | Wanted::Maintenance { .. } => Err(Rejection::NotDraining { node: node.clone() }),
    }
}
