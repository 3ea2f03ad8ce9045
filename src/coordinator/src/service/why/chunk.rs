//! Why a chunk is as it is.

use std::time::Instant;

use zephyrfs_core::engine::{At, TaskKey};
use zephyrfs_core::id::{ChunkId, FileId, NodeId};
use zephyrfs_core::repair::{Class, Judgement, Nodes as _, judge};
use zephyrfs_core::row::{ChunkRow, NodeStatus, Replica, ReplicaState, TaskRow};
use zephyrfs_core::units::{ByteSize, Millis, Timestamp};
use zephyrfs_core::{ReadSet, Rejection};

use super::words::time;
use super::{MAX_TASKS, Why};
use crate::service::error::ServiceError;
use crate::service::freshness::local_at;
use crate::service::picture::Picture;
use crate::service::request::RequestContext;
use crate::service::state::Service;
use crate::service::validate;
use crate::service::watch::Recent;

/// A chunk's row and what repair makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkFacts {
    /// Its length.
    pub size: ByteSize,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The file it is shown under; `None` if no file holds it.
    pub home: Option<FileId>,
    /// How many files hold it besides.
    pub sharers: u32,
    /// Since when no file holds it.
    pub unreferenced_since: Option<Timestamp>,
    /// Until when it is kept though nobody knows what it belongs to.
    pub quarantine_until: Option<Timestamp>,
    /// Its copies.
    pub replicas: Vec<WhyReplica>,
    /// The copies wanted.
    pub wanted: usize,
    /// Copies on nodes that are in service and heard from.
    pub sure: usize,
    /// Copies that are yet to be told to nodes.
    pub missing: usize,
    /// How urgent the lack is; `None` if nothing is lacking.
    pub class: Option<Class>,
    /// Since when copies are lacking.
    pub lacking_since: Option<Timestamp>,
    /// Until when a silent node is waited for.
    pub waits_until: Option<Timestamp>,
}

/// A copy of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyReplica {
    /// The node.
    pub node: NodeId,
    /// Whether the copy is known to be there.
    pub state: ReplicaState,
    /// The node's status; `None` if the node is not known.
    pub node_status: Option<NodeStatus>,
    /// What the copy counts for, in words.
    pub counts: &'static str,
}

impl Service {
    /// Why a chunk is as it is.
    pub(super) async fn why_chunk(
        &self,
        id: String,
        context: &RequestContext,
    ) -> Result<At<Why>, ServiceError> {
        let id: ChunkId = validate::id(&self.limits, "id", id)?;
        let reads = ReadSet {
            chunks: vec![id.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, context.freshness);
        let At { index, value: view } = self.read("the chunk", context.deadline, view).await?;
        let Some(row) = view.chunks.get(&id) else {
            let rejection = Rejection::ChunkNotFound { chunk: id };
            return Err(ServiceError::Rejected { rejection, index });
        };
        let picture = self.nodes_read_anew(local_at(index), context.deadline).await?;
        let (facts, obstacles) = self.chunk_facts(&id, row, &picture, context.deadline).await?;
        let reads = ReadSet {
            tasks: row
                .replicas
                .iter()
                .map(|replica| (replica.node.clone(), id.clone()))
                .collect(),
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, local_at(index));
        let tasks = self.read("the chunk's tasks", context.deadline, view).await?;
        let tasks: Vec<(TaskKey, TaskRow)> = tasks.value.tasks.into_iter().take(MAX_TASKS).collect();
        let tasks = self.with_states(tasks, context, local_at(index)).await?;
        let Recent { changes, after } = self.recent_changes(&["chunk", "task"], id.as_str()).await?;
        let value = Why {
            summary: summary(&id, &facts, &obstacles),
            kind: "chunk",
            id: id.into(),
            obstacles,
            chunk: Some(facts),
            node: None,
            tasks,
            events: changes,
            events_after: after,
        };
        Ok(At { index, value })
    }

    /// What there is to say of a chunk, and what keeps it from being whole.
    pub(super) async fn chunk_facts(
        &self,
        id: &ChunkId,
        row: &ChunkRow,
        picture: &Picture,
        deadline: Option<Instant>,
    ) -> Result<(ChunkFacts, Vec<String>), ServiceError> {
        let now = self.engine.now();
        let judgement = judge(row, picture, now, &self.policy.repair());
        let wanted = self.policy.replication_factor as usize;
        let in_quarantine = row.unreferenced_since.is_some_and(|until| now < until);
        let mut obstacles = Vec::new();
        match row.unreferenced_since {
            Some(until) if in_quarantine => obstacles.push(format!(
                "a node has it and nobody knows what it belongs to: it is kept until {}",
                time(until)
            )),
            Some(since) => obstacles.push(format!(
                "no file holds it: its copies are dropped after {}",
                time(since.plus(Millis::from(self.policy.gc_grace)))
            )),
            None if judgement.sure.len() < wanted => {
                let waits = self.what_a_copy_waits_for(id, row, &judgement, picture, deadline);
                obstacles.push(waits.await?);
            }
            None => {}
        }
        let facts = ChunkFacts {
            size: row.size,
            created_at: row.created_at,
            home: row.home.clone(),
            sharers: row.sharers,
            unreferenced_since: row.unreferenced_since.filter(|_| !in_quarantine),
            quarantine_until: row.unreferenced_since.filter(|_| in_quarantine),
            replicas: row
                .replicas
                .iter()
                .map(|replica| WhyReplica {
                    node: replica.node.clone(),
                    state: replica.state,
                    node_status: picture.node(&replica.node).map(|node| node.status()),
                    counts: counts(row, replica, &judgement),
                })
                .collect(),
            wanted,
            sure: judgement.sure.len(),
            missing: judgement.missing,
            class: judgement.lacking_since.map(|_| Class::from(judgement.reason)),
            lacking_since: judgement.lacking_since,
            waits_until: judgement.waits_until,
        };
        Ok((facts, obstacles))
    }
}

/// What a copy counts for.
fn counts(row: &ChunkRow, replica: &Replica, judgement: &Judgement) -> &'static str {
    let is_among = |nodes: &[NodeId]| nodes.contains(&replica.node);
    match replica.state {
        ReplicaState::Deleting => "nothing: its node was told to drop it",
        ReplicaState::Assigned | ReplicaState::Stored if !row.is_referenced() => {
            "nothing: no file holds the chunk"
        }
        ReplicaState::Stored if is_among(&judgement.sure) => "a copy that can be relied on",
        ReplicaState::Stored if is_among(&judgement.draining) => {
            "a copy to read and copy from: its node is to give it up"
        }
        ReplicaState::Stored if is_among(&judgement.kept) => "a copy whose node is expected back",
        ReplicaState::Stored => "nothing: its node is gone, or silent for too long",
        ReplicaState::Assigned if is_among(&judgement.kept) => "a copy that is on its way",
        ReplicaState::Assigned => "nothing: its node takes no copies now",
    }
}

fn summary(id: &ChunkId, facts: &ChunkFacts, obstacles: &[String]) -> String {
    let obstacle = obstacles.first().map_or("", String::as_str);
    let Some(home) = &facts.home else {
        return format!("Chunk {id} ({}): {obstacle}.", facts.size);
    };
    let ChunkFacts {
        size, wanted, sure, ..
    } = facts;
    let holders = match facts.sharers {
        0 => format!("of file {home}"),
        sharers => format!("of file {home} and {sharers} others"),
    };
    match facts.lacking_since {
        None => format!(
            "Chunk {id} ({size}, {holders}) is whole: {sure} copies can be relied on, {wanted} are wanted."
        ),
        Some(since) => format!(
            "Chunk {id} ({size}, {holders}) lacks copies since {}: {sure} of {wanted} can be relied on; {obstacle}.",
            time(since)
        ),
    }
}
