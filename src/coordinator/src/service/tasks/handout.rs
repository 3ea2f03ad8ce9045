//! Handing tasks to their node, as the JSON objects that existing nodes understand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use zephyrfs_core::engine::{Freshness, TaskKey};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::{Class, Nodes};
use zephyrfs_core::row::{ChunkRow, NodeRow, Replica, ReplicaState, TaskKind, TaskRow};
use zephyrfs_core::{ReadSet, View};

use crate::service::engine_error::broken_state;
use crate::service::error::ServiceError;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// The most tasks in one answer to a heartbeat.
const MAX_TASKS: usize = 300;

/// The most tasks among which these are chosen. Only a node with very much content that was replaced has more.
const MAX_LOOKED_AT: usize = 5_000;

/// The most bytes of tasks in one answer to the heartbeats of many nodes.
const MAX_BYTES: usize = 256 << 10;

/// The most sources that a node is named.
const MAX_SOURCES: usize = 5;

/// How long the answer to a heartbeat waits for the leader, at most. Without it the tasks come with the next one.
const PATIENCE: Duration = Duration::from_secs(1);

/// A task as nodes read it.
#[derive(Serialize)]
struct Handout<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    chunk_id: &'a str,
    hash: &'a str,
    size: i64,
    sources: Vec<Source<'a>>,
    deadline: i64,
}

/// A node that a chunk can be fetched from.
#[derive(Serialize)]
struct Source<'a> {
    node_id: &'a str,
    address: &'a str,
}

impl Service {
    /// What a node shall do now, for a node of which this replica's own state says that there is something.
    ///
    /// The tasks are read as the leader has them: a replica that is behind must not tell a node to drop a copy that counts
    /// again.
    pub(in crate::service) async fn tasks_for(
        &self,
        node: &NodeId,
        deadline: Option<Instant>,
    ) -> Result<Vec<String>, ServiceError> {
        let desk = self.desk(std::slice::from_ref(node), deadline).await?;
        desk.map_or_else(|| Ok(Vec::new()), |desk| desk.named(node))
    }

    /// As [`Self::tasks_for`], for many nodes with one read. `nodes` come with how many tasks each has; those for whom there
    /// is no room in one answer are left out, wherever they stand in the list: they are told with a later heartbeat.
    pub(in crate::service) async fn tasks_for_many(
        &self,
        nodes: &[(NodeId, usize)],
        deadline: Option<Instant>,
    ) -> Result<Vec<(NodeId, Vec<String>)>, ServiceError> {
        let nodes = some_of(nodes, self.ids.seed());
        let Some(desk) = self.desk(&nodes, deadline).await? else {
            return Ok(Vec::new());
        };
        let mut room = MAX_BYTES;
        let mut told = Vec::new();
        for node in nodes {
            let mut tasks = desk.named(&node)?;
            tasks.retain(|task| {
                let left = room.checked_sub(task.len());
                room = left.unwrap_or(room);
                left.is_some()
            });
            if !tasks.is_empty() {
                told.push((node, tasks));
            }
        }
        Ok(told)
    }

    /// What is needed to tell nodes their tasks; `None` while very many nodes are silent: then nobody copies or drops
    /// anything.
    async fn desk(&self, nodes: &[NodeId], deadline: Option<Instant>) -> Result<Option<Desk>, ServiceError> {
        let all = ReadSet {
            node_tasks: nodes.iter().map(|node| (node.clone(), MAX_LOOKED_AT)).collect(),
            replica_nodes: true,
            ..ReadSet::default()
        };
        let patience = Instant::now() + PATIENCE;
        let deadline = Some(deadline.map_or(patience, |deadline| deadline.min(patience)));
        let picture = self.nodes_to_place_on(deadline).await?;
        if picture.brake.is_some() {
            return Ok(None);
        }
        let view = self.engine.view(all, Freshness::default());
        Ok(Some(Desk {
            view: self.read("the nodes' tasks", deadline, view).await?.value,
            picture,
            wanted: self.policy.replication_factor as usize,
        }))
    }
}

/// What is known where tasks are handed out.
struct Desk {
    /// The tasks, with their chunks and the nodes of these.
    view: View,
    /// Which nodes were heard from lately.
    picture: Arc<Picture>,
    /// The copies wanted of each chunk.
    wanted: usize,
}

/// As many nodes as can be looked at together, from anywhere in the list that `seed` points to, so that none is always
/// left out.
fn some_of(nodes: &[(NodeId, usize)], seed: u64) -> Vec<NodeId> {
    let start = usize::try_from(seed)
        .unwrap_or_default()
        .checked_rem(nodes.len())
        .unwrap_or_default();
    let mut looked_at = 0;
    nodes
        .iter()
        .cycle()
        .skip(start)
        .take(nodes.len())
        .take_while(|(_, tasks)| {
            let fits = looked_at < MAX_LOOKED_AT;
            looked_at += tasks;
            fits
        })
        .map(|(node, _)| node.clone())
        .collect()
}

impl Desk {
    /// A node's tasks as it reads them, the most urgent first.
    fn named(&self, node: &NodeId) -> Result<Vec<String>, ServiceError> {
        most_urgent(node, &self.view)
            .into_iter()
            .filter(|((_, chunk), task)| self.may_be_done(node, chunk, task))
            .filter_map(|((node, chunk), task)| handout(node, chunk, task, &self.view))
            .take(MAX_TASKS)
            .map(|handout| {
                serde_json::to_string(&handout)
                    .map_err(|error| broken_state(&format!("a task cannot be written as JSON: {error}")))
            })
            .collect()
    }

    /// Whether a node may be told. A copy that was found to be one too many may not be any more: others fell silent since,
    /// or are about to be found so.
    fn may_be_done(&self, node: &NodeId, chunk: &ChunkId, task: &TaskRow) -> bool {
        if !task.drops_spare() {
            return true;
        }
        let Some(row) = self.view.chunks.get(chunk).filter(|row| row.is_referenced()) else {
            return true;
        };
        let is_sure = |other: &&Replica| {
            other.state == ReplicaState::Stored
                && other.node != *node
                && !self.picture.is_late(&other.node)
                && self
                    .view
                    .nodes
                    .get(&other.node)
                    .is_some_and(|node| node.holds_surely())
        };
        row.replicas.iter().filter(is_sure).count() >= self.wanted.max(1)
    }
}

/// A node's tasks in the order in which they are named: copies before deletions, and within each what was tried least.
fn most_urgent<'a>(node: &NodeId, view: &'a View) -> Vec<(&'a TaskKey, &'a TaskRow)> {
    // Ids are text, and no text sorts before the empty one.
    let from = (node.clone(), ChunkId::from(""));
    let mut tasks: Vec<_> = view
        .tasks
        .range(from..)
        .take_while(|((of, _), _)| of == node)
        .collect();
    tasks.sort_by_key(|(_, task)| (task.kind, task.attempt, Class::from(task.reason), task.reason));
    tasks
}

/// A task as the node reads it; `None` while there is nothing to fetch the chunk from, or nobody needs it any more.
fn handout<'a>(node: &NodeId, chunk: &'a ChunkId, task: &TaskRow, view: &'a View) -> Option<Handout<'a>> {
    let row = view.chunks.get(chunk)?;
    let sources = match task.kind {
        TaskKind::Delete => Vec::new(),
        TaskKind::Replicate => {
            let sources = sources(node, row, task, view);
            if sources.is_empty() || !row.is_referenced() {
                return None;
            }
            sources
        }
    };
    Some(Handout {
        id: task.id.to_string(),
        kind: task.kind.as_str(),
        chunk_id: chunk.as_str(),
        hash: row.hash.as_str(),
        size: row.size.to_wire(),
        sources,
        deadline: task.deadline.as_unix_seconds(),
    })
}

/// The nodes that said they store the chunk, the task's own source first, and at each further attempt the next; if none
/// did, those that clients were to bring it to.
fn sources<'a>(to: &NodeId, row: &'a ChunkRow, task: &TaskRow, view: &'a View) -> Vec<Source<'a>> {
    let others = || view.readable_nodes(row).filter(|(id, _)| *id != to);
    let is_stored = |id: &NodeId| {
        row.replica_on(id)
            .is_some_and(|replica| replica.state == ReplicaState::Stored)
    };
    let mut sources: Vec<_> = others().filter(|(id, _)| is_stored(id)).collect();
    if sources.is_empty() {
        sources = others().collect();
    }
    let first = sources
        .iter()
        .position(|(id, _)| Some(*id) == task.source.as_ref());
    let passed_over = task.attempt.saturating_sub(1) as usize;
    if let Some(count) = std::num::NonZeroUsize::new(sources.len()) {
        sources.rotate_left((first.unwrap_or_default() + passed_over) % count);
    }
    let source = |(id, node): (&'a NodeId, &'a NodeRow)| Source {
        node_id: id.as_str(),
        address: node.first_address(),
    };
    sources.into_iter().map(source).take(MAX_SOURCES).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use zephyrfs_core::id::NodeId;

    use super::{MAX_LOOKED_AT, some_of};

    #[test]
    fn among_too_many_each_node_has_its_turn_and_one_is_always_told() {
        let half = MAX_LOOKED_AT / 2;
        let nodes: Vec<_> = ["a", "b", "c", "d"].map(|id| (NodeId::from(id), half)).to_vec();
        let mut ever = BTreeSet::new();
        for seed in 0..4 {
            let some = some_of(&nodes, seed);
            assert_eq!(some.len(), 2, "{some:?}");
            ever.extend(some);
        }
        assert_eq!(ever.len(), 4);
        let few: Vec<_> = nodes.iter().map(|(id, _)| (id.clone(), 1)).collect();
        assert_eq!(some_of(&few, 7).len(), 4);
        let very_busy = [(NodeId::from("a"), 10 * MAX_LOOKED_AT)];
        assert_eq!(some_of(&very_busy, 7), [NodeId::from("a")]);
        assert!(some_of(&[], 7).is_empty());
    }
}
