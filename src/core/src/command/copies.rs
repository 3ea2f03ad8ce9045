//! Copies of chunks and the tasks about them: what the commands that change either have in common.

use crate::context::Context;
use crate::effects::Mutation;
use crate::id::{ChunkId, NodeId, RequestId, TaskId};
use crate::row::{ChunkRow, NodeRow, Replica, ReplicaState, TaskKind, TaskReason, TaskRow};
use crate::units::{ByteSize, Millis};
use crate::view::View;

/// The states of copies that count for something.
pub(super) const COPIES: [ReplicaState; 2] = [ReplicaState::Assigned, ReplicaState::Stored];

/// Whether clients can be sent to a node.
pub(super) fn is_there(id: &NodeId, view: &View) -> bool {
    view.nodes.get(id).is_some_and(|node| node.serves_reads())
}

/// Whether a node was unregistered: what is on it counts for nothing.
pub(super) fn is_gone(id: &NodeId, view: &View) -> bool {
    view.nodes.get(id).is_none_or(|node| node.is_removed())
}

/// How many copies of a chunk in one of these states are on nodes of which `holds` is true.
pub(super) fn count(
    chunk: &ChunkRow,
    states: &[ReplicaState],
    view: &View,
    holds: impl Fn(&NodeRow) -> bool,
) -> usize {
    chunk
        .replicas
        .iter()
        .filter(|replica| states.contains(&replica.state))
        .filter(|replica| view.nodes.get(&replica.node).is_some_and(|node| holds(node)))
        .count()
}

/// Whether one more copy may be added: fewer than the limit are on registered nodes. A copy on a node that was unregistered
/// counts for nothing and is forgotten to make place, except the last that was ever stored: the node may come back.
/// `dropped` is told which node it was.
pub(super) fn make_place(
    row: &mut ChunkRow,
    limit: u32,
    view: &View,
    mut dropped: impl FnMut(NodeId),
) -> bool {
    let limit = limit as usize;
    if count(row, &COPIES, view, |node| !node.is_removed()) >= limit {
        return false;
    }
    while row.copies() >= limit {
        let stored = count(row, &[ReplicaState::Stored], view, |_| true);
        let is_free = |replica: &Replica| match replica.state {
            ReplicaState::Assigned => is_gone(&replica.node, view),
            ReplicaState::Stored => stored > 1 && is_gone(&replica.node, view),
            ReplicaState::Deleting => false,
        };
        let Some(free) = row.replicas.iter().position(is_free) else {
            break;
        };
        dropped(row.replicas.remove(free).node);
    }
    true
}

/// How many copies count towards those wanted: stored ones on nodes that are there or expected back, and those on their
/// way to nodes that are there. One on the node `but` does not count.
pub(super) fn count_kept(row: &ChunkRow, view: &View, but: Option<&NodeId>) -> usize {
    let counts = |replica: &&Replica| {
        let node = view.nodes.get(&replica.node);
        let is_kept = node.is_some_and(|node| match replica.state {
            ReplicaState::Stored => node.keeps_replicas(),
            ReplicaState::Assigned => node.takes_replicas(),
            ReplicaState::Deleting => false,
        });
        is_kept && but != Some(&replica.node)
    };
    row.replicas.iter().filter(counts).count()
}

/// How many stored copies of a chunk are on nodes that are heard from and keep them.
pub(super) fn count_sure(row: &ChunkRow, view: &View) -> usize {
    count(row, &[ReplicaState::Stored], view, NodeRow::holds_surely)
}

/// Tells the nodes that `only` names to drop their copies. A copy whose node was told already stays as it is.
pub(super) fn delete_copies(
    id: &ChunkId,
    row: &mut ChunkRow,
    only: impl Fn(&NodeId) -> bool,
    new_task: &NewTask<'_>,
    mutations: &mut Vec<Mutation>,
) {
    let size = row.size;
    for replica in &mut row.replicas {
        if replica.state != ReplicaState::Deleting && only(&replica.node) {
            replica.state = ReplicaState::Deleting;
            mutations.push(new_task.deletion(&replica.node, id, size));
        }
    }
}

/// What new tasks of one command have in common.
pub(super) struct NewTask<'a> {
    pub(super) request: RequestId,
    pub(super) reason: TaskReason,
    pub(super) time: Millis,
    pub(super) context: &'a Context,
}

impl NewTask<'_> {
    /// A task for a node to drop its copy.
    pub(super) fn deletion(&self, node: &NodeId, chunk: &ChunkId, size: ByteSize) -> Mutation {
        self.of(TaskKind::Delete, (node, chunk, size), None)
    }

    /// A task for a node to fetch a copy, from a source before others.
    pub(super) fn copy(
        &self,
        node: &NodeId,
        chunk: &ChunkId,
        size: ByteSize,
        source: Option<NodeId>,
    ) -> Mutation {
        self.of(TaskKind::Replicate, (node, chunk, size), source)
    }

    /// Its id follows from the proposal, which is made only once.
    fn of(
        &self,
        kind: TaskKind,
        (node, chunk, size): (&NodeId, &ChunkId, ByteSize),
        source: Option<NodeId>,
    ) -> Mutation {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.request.as_bytes());
        hasher.update(&(node.as_str().len() as u64).to_le_bytes());
        hasher.update(node.as_str().as_bytes());
        hasher.update(chunk.as_str().as_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        let row = TaskRow {
            id: TaskId::from_bytes(id),
            kind,
            reason: self.reason,
            created_at: self.context.now,
            deadline: self.context.now.plus(self.time),
            attempt: 1,
            source,
            size,
        };
        Mutation::PutTask(node.clone(), chunk.clone(), row)
    }
}

/// A chunk as it is now: written, or deleted if neither a file nor a node holds it.
pub(super) fn put_or_delete(id: &ChunkId, row: ChunkRow) -> Mutation {
    if row.replicas.is_empty() && !row.is_referenced() {
        Mutation::DeleteChunk(id.clone())
    } else {
        Mutation::PutChunk(id.clone(), row)
    }
}
