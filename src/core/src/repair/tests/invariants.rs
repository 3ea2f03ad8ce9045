//! What must hold after every step, and what in the end.

use super::fleet::Fleet;
use crate::id::{ChunkId, NodeId};
use crate::row::{ChunkRow, ReplicaState, TaskKind};

impl Fleet {
    /// A node drops a copy: either no file holds the chunk, or as many others as wanted really are on live nodes.
    pub(super) fn check_deletion(&self, node: &NodeId, chunk: &ChunkId, row: &ChunkRow) {
        if !row.is_referenced() {
            return;
        }
        let others = self
            .machines
            .iter()
            .filter(|(id, machine)| *id != node && machine.disk.contains(chunk))
            .count();
        assert!(
            others >= self.shape.wanted.min(self.shape.nodes - 1).max(1),
            "{node} drops {chunk}, and {others} others have it: {row:?}"
        );
    }

    /// What holds at any time.
    pub(super) fn check_always(&self) {
        for (chunk, row) in self.chunk_rows() {
            if row.is_referenced() && self.kept.contains(&chunk) {
                let holders = self
                    .machines
                    .values()
                    .filter(|machine| machine.disk.contains(&chunk));
                assert!(holders.count() > 0, "every copy of {chunk} is gone: {row:?}");
                let is_remembered = row.replicas.iter().any(|replica| {
                    replica.state != ReplicaState::Deleting
                        && self.machines[&replica.node].disk.contains(&chunk)
                });
                assert!(is_remembered, "nobody knows where {chunk} is: {row:?}");
            }
        }
        for (id, _) in self.nodes() {
            let copies = self.tasks().into_iter();
            let copies = copies.filter(|(node, _, task)| *node == id && task.kind == TaskKind::Replicate);
            assert!(copies.count() <= 10, "{id} was told more than it can be told");
        }
    }

    /// What holds when nothing has happened for long and every node is back.
    pub(super) fn check_whole(&self) {
        let nodes = self.nodes();
        let takes = nodes.values().filter(|(row, _)| row.takes_replicas()).count();
        let topology = self.topology();
        for (chunk, row) in self.chunk_rows() {
            assert!(
                row.is_referenced(),
                "{chunk} is no longer needed, and still there: {row:?}"
            );
            if !self.kept.contains(&chunk) {
                continue;
            }
            let sure: Vec<NodeId> = row
                .replicas
                .iter()
                .filter(|replica| replica.state == ReplicaState::Stored)
                .filter(|replica| nodes[&replica.node].0.holds_surely())
                .map(|replica| replica.node.clone())
                .collect();
            for node in &sure {
                assert!(self.machines[node].disk.contains(&chunk), "{node} has no {chunk}");
            }
            let expected = self.shape.wanted.min(takes);
            assert_eq!(
                sure.len(),
                expected,
                "{chunk} of {takes} nodes: {row:?} {nodes:?}"
            );
            if takes >= self.shape.wanted {
                assert_eq!(
                    row.replicas.len(),
                    sure.len(),
                    "{chunk} has more: {row:?} {nodes:?}"
                );
                assert!(
                    topology.misplaced(&sure).is_none(),
                    "{chunk} is badly placed: {row:?}"
                );
                for (id, (node, _)) in &nodes {
                    let is_draining = node.drain().is_some();
                    assert!(
                        !is_draining || row.replica_on(id).is_none(),
                        "{id} is not drained"
                    );
                }
            }
        }
        for (id, (node, _)) in &nodes {
            assert!(!self.is_silent(node), "{id}");
            let is_done = node.drain().is_none_or(|drain| drain.done_at.is_some());
            assert!(
                is_done || takes < self.shape.wanted,
                "the drain of {id} never ends"
            );
        }
        if takes >= self.shape.wanted {
            let tasks = self.tasks();
            let is_about_lost = |chunk: &ChunkId| !self.kept.contains(chunk);
            assert!(
                tasks.iter().all(|(_, chunk, _)| is_about_lost(chunk)),
                "{tasks:?}"
            );
            assert!(
                !self.tally.has_lack()
                    || !self
                        .chunk_rows()
                        .iter()
                        .all(|(chunk, _)| self.kept.contains(chunk)),
                "{:?}",
                self.tally
            );
        }
    }
}
