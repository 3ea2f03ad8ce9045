//! Handing tasks to their node, as the JSON objects that existing nodes understand.

use std::time::{Duration, Instant};

use serde::Serialize;
use zephyrfs_core::engine::{Freshness, TaskKey};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::Class;
use zephyrfs_core::row::{ChunkRow, NodeRow, ReplicaState, TaskKind, TaskRow};
use zephyrfs_core::{ReadSet, View};

use crate::service::engine_error::broken_state;
use crate::service::error::ServiceError;
use crate::service::state::Service;

/// The most tasks in one answer to a heartbeat.
const MAX_TASKS: usize = 300;

/// The most tasks among which these are chosen. Only a node with very much content that was replaced has more.
const MAX_LOOKED_AT: usize = 5_000;

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
        let all = ReadSet {
            node_tasks: vec![(node.clone(), MAX_LOOKED_AT)],
            replica_nodes: true,
            ..ReadSet::default()
        };
        let patience = Instant::now() + PATIENCE;
        let deadline = Some(deadline.map_or(patience, |deadline| deadline.min(patience)));
        // While very many nodes are silent, nobody copies or drops anything.
        if self.nodes_to_place_on(deadline).await?.brake.is_some() {
            return Ok(Vec::new());
        }
        let view = self.engine.view(all, Freshness::default());
        let view = self.read("the node's tasks", deadline, view).await?.value;
        most_urgent(&view)
            .into_iter()
            .filter_map(|((node, chunk), task)| handout(node, chunk, task, &view))
            .take(MAX_TASKS)
            .map(|handout| {
                serde_json::to_string(&handout)
                    .map_err(|error| broken_state(&format!("a task cannot be written as JSON: {error}")))
            })
            .collect()
    }
}

/// The tasks in the order in which they are named: copies before deletions, and within each what was tried least.
fn most_urgent(view: &View) -> Vec<(&TaskKey, &TaskRow)> {
    let mut tasks: Vec<_> = view.tasks.iter().collect();
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
