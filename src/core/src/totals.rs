//! Counts that everybody asks for, kept along with every change instead of being counted each time.

use serde::{Deserialize, Serialize};

use crate::row::{ChunkRow, NodeRow, NodeStatus, Row, TaskKind};

/// How much there is. Equal to a recount of the rows after every command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Nodes by status, in the order of [`NodeStatus::ALL`].
    nodes: [u64; 4],
    /// Registered files.
    pub files: u64,
    /// Chunks that some file holds.
    pub chunks: u64,
    /// Chunks that no file holds and that are kept for a grace period.
    pub unreferenced_chunks: u64,
    /// Tasks by kind, in the order of [`TaskKind::ALL`].
    tasks: [u64; 2],
}

impl Totals {
    /// How many counts there are.
    pub const COUNTS: usize = 9;

    /// Every count, in an order that never changes: a store may keep them so.
    pub const fn to_counts(&self) -> [u64; Self::COUNTS] {
        let [active, draining, maintenance, inactive] = self.nodes;
        let [replicate, delete] = self.tasks;
        [
            active,
            draining,
            maintenance,
            inactive,
            self.files,
            self.chunks,
            self.unreferenced_chunks,
            replicate,
            delete,
        ]
    }

    /// From every count, in the order of [`Totals::to_counts`].
    pub const fn from_counts(counts: [u64; Self::COUNTS]) -> Self {
        let [a, b, c, d, files, chunks, unreferenced_chunks, replicate, delete] = counts;
        Self {
            nodes: [a, b, c, d],
            files,
            chunks,
            unreferenced_chunks,
            tasks: [replicate, delete],
        }
    }

    /// Nodes with a status.
    pub const fn nodes_with(&self, status: NodeStatus) -> u64 {
        self.nodes[status as usize]
    }

    /// All nodes, tombstones too.
    pub fn nodes(&self) -> u64 {
        self.nodes.iter().sum()
    }

    /// A node was written, in place of `old` if there was one.
    pub fn node_changed(&mut self, old: Option<&NodeRow>, new: &NodeRow) {
        if let Some(old) = old {
            decrease(&mut self.nodes[old.status() as usize]);
        }
        self.nodes[new.status() as usize] += 1;
    }

    /// A file was written or deleted: whether there was one, and whether there is.
    pub fn file_changed(&mut self, was: bool, is: bool) {
        self.files += u64::from(is);
        if was {
            decrease(&mut self.files);
        }
    }

    /// A chunk was written or deleted.
    pub fn chunk_changed(&mut self, old: Option<&ChunkRow>, new: Option<&ChunkRow>) {
        if let Some(new) = new {
            *self.chunks_like(new) += 1;
        }
        if let Some(old) = old {
            decrease(self.chunks_like(old));
        }
    }

    /// Tasks of a kind.
    pub const fn tasks_of(&self, kind: TaskKind) -> u64 {
        self.tasks[kind as usize]
    }

    /// A task was written or deleted.
    pub fn task_changed(&mut self, old: Option<TaskKind>, new: Option<TaskKind>) {
        if let Some(new) = new {
            self.tasks[new as usize] += 1;
        }
        if let Some(old) = old {
            decrease(&mut self.tasks[old as usize]);
        }
    }

    /// Counts a row of a dump.
    pub fn count(&mut self, row: &Row) {
        match row {
            Row::Node(_, node) => self.node_changed(None, node),
            Row::File(_, _) => self.file_changed(false, true),
            Row::Chunk(_, chunk) => self.chunk_changed(None, Some(chunk)),
            Row::Task(_, _, task) => self.task_changed(None, Some(task.kind)),
            Row::Beat(..) | Row::Sharer(..) | Row::Release(..) | Row::Request(..) => {}
        }
    }

    fn chunks_like(&mut self, chunk: &ChunkRow) -> &mut u64 {
        if chunk.is_referenced() {
            &mut self.chunks
        } else {
            &mut self.unreferenced_chunks
        }
    }
}

/// A count never goes below zero; that it would is a defect that the recount in the tests finds.
fn decrease(count: &mut u64) {
    debug_assert!(*count > 0, "a count would go below zero");
    *count = count.saturating_sub(1);
}

#[cfg(test)]
mod tests {
    use super::{NodeStatus, TaskKind, Totals};

    #[test]
    fn every_status_has_its_own_place() {
        for (place, status) in NodeStatus::ALL.into_iter().enumerate() {
            assert_eq!(place, status as usize);
        }
        assert_eq!(NodeStatus::ALL.len(), Totals::default().nodes.len());
        assert_eq!(TaskKind::ALL.map(|kind| kind as usize), [0, 1]);
    }

    #[test]
    fn counts_come_back() {
        let counts = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let totals = Totals::from_counts(counts);
        assert_eq!(totals.to_counts(), counts);
        assert_eq!((totals.files, totals.tasks_of(TaskKind::Delete)), (5, 9));
    }
}
