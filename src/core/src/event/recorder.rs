//! Watches rows as they are written: keeps the totals, and notes what changed.

use super::{Change, ChunkChanged, FileChanged, FileContent, NodeChanged, TaskChanged};
use crate::id::{ChunkId, FileId, NodeId};
use crate::row::{ChunkRow, FileRow, NodeRow, TaskRow, Wanted};
use crate::totals::Totals;

/// Takes note of what the mutations of one command change. Every store tells it of each row that it writes, beside the row
/// that was there before.
#[derive(Debug)]
pub struct Recorder<'t> {
    totals: &'t mut Totals,
    changes: Vec<Change>,
}

/// What a store knows of a file that it writes anew.
#[derive(Debug, Clone, Copy)]
pub struct OldFile<'a> {
    /// The name it had.
    pub name: &'a str,
    /// Who registered it.
    pub owner: Option<&'a NodeId>,
    /// Whether its hash, its length and its chunks stay the same.
    pub has_same_content: bool,
}

impl<'t> Recorder<'t> {
    /// Keeps `totals`.
    pub const fn new(totals: &'t mut Totals) -> Self {
        Self {
            totals,
            changes: Vec::new(),
        }
    }

    /// What changed. Kind by kind, and within a kind in the order in which it was written.
    pub fn into_changes(mut self) -> Vec<Change> {
        self.changes.sort_by_key(Change::kind);
        self.changes
    }

    /// A node was written, in place of `old` if there was one.
    pub fn node_changed(&mut self, id: &NodeId, old: Option<&NodeRow>, new: &NodeRow) {
        self.totals.node_changed(old, new);
        let mut note = |change| self.changes.push(Change::Node(id.clone(), change));
        let Some(old) = old.filter(|old| !old.is_removed()) else {
            if !new.is_removed() {
                note(NodeChanged::Registered { status: new.status() });
            }
            return;
        };
        if let Wanted::Removed { reason, .. } = &new.wanted {
            note(NodeChanged::Unregistered {
                reason: reason.clone(),
            });
            return;
        }
        let (from, to) = (old.status(), new.status());
        if from != to {
            note(NodeChanged::Status { from, to });
        }
        let says_the_same = old.addresses == new.addresses
            && old.capacity == new.capacity
            && old.capabilities == new.capabilities;
        if !says_the_same || (from == to && old != new) {
            note(NodeChanged::Updated);
        }
    }

    /// A file was written, in place of `old` if there was one.
    pub fn file_written(&mut self, id: &FileId, old: Option<OldFile<'_>>, new: &FileRow) {
        self.totals.file_changed(old.is_some(), true);
        let content = || FileContent {
            name: new.name.clone(),
            size: new.size,
            chunks: new.chunks.len(),
        };
        let change = match old {
            None => FileChanged::Registered(content()),
            Some(old) if !old.has_same_content => FileChanged::Replaced(content()),
            Some(old) if old.name == new.name && old.owner == new.owner.as_ref() => return,
            Some(_) => FileChanged::Updated {
                name: new.name.clone(),
            },
        };
        self.changes.push(Change::File(id.clone(), change));
    }

    /// A file that was there is deleted.
    pub fn file_deleted(&mut self, id: &FileId) {
        self.totals.file_changed(true, false);
        self.changes.push(Change::File(id.clone(), FileChanged::Deleted));
    }

    /// A chunk was written, in place of `old` if there was one.
    pub fn chunk_written(&mut self, id: &ChunkId, old: Option<&ChunkRow>, new: &ChunkRow) {
        self.totals.chunk_changed(old, Some(new));
        let mut note = |change| self.changes.push(Change::Chunk(id.clone(), change));
        let Some(old) = old else {
            note(ChunkChanged::Created {
                file: new.home.clone(),
                size: new.size,
                replicas: new.replicas.as_slice().into(),
            });
            return;
        };
        if !old.same_content(&new.hash, new.size) {
            note(ChunkChanged::Replaced { size: new.size });
        }
        match (&old.home, &new.home) {
            (None, Some(file)) => note(ChunkChanged::Held { file: file.clone() }),
            (Some(_), None) => note(ChunkChanged::Released),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if old.replicas != new.replicas {
            note(ChunkChanged::Replicas {
                replicas: new.replicas.as_slice().into(),
            });
        }
    }

    /// A chunk that was there is deleted.
    pub fn chunk_deleted(&mut self, id: &ChunkId, old: &ChunkRow) {
        self.totals.chunk_changed(Some(old), None);
        self.changes
            .push(Change::Chunk(id.clone(), ChunkChanged::Deleted));
    }

    /// A task was written or deleted.
    pub fn task_changed(
        &mut self,
        (node, chunk): (&NodeId, &ChunkId),
        old: Option<&TaskRow>,
        new: Option<&TaskRow>,
    ) {
        self.totals
            .task_changed(old.map(|old| old.kind), new.map(|new| new.kind));
        let mut note = |change| {
            self.changes
                .push(Change::Task(node.clone(), chunk.clone(), change));
        };
        let is_same = old.map(|old| old.id) == new.map(|new| new.id);
        if let Some(old) = old.filter(|_| !is_same) {
            note(TaskChanged::Ended {
                id: old.id,
                kind: old.kind,
            });
        }
        match new {
            Some(new) if !is_same => note(TaskChanged::Made {
                id: new.id,
                kind: new.kind,
                reason: new.reason,
                deadline: new.deadline,
            }),
            Some(new) if old != Some(new) => note(TaskChanged::Renewed {
                id: new.id,
                kind: new.kind,
                attempt: new.attempt,
                deadline: new.deadline,
            }),
            Some(_) | None => {}
        }
    }
}
