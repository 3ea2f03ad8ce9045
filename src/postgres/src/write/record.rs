//! What a write changes, for who watches and for what is counted.

use std::collections::BTreeMap;

use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::event::{Change, OldFile, Recorder};
use zephyrfs_core::row::{FileRow, TaskRow};
use zephyrfs_core::{Mutation, Totals, View};

use crate::tables::events::Delta;
use crate::tables::usage::UsageDelta;

/// What a write changes, for who watches and for the totals.
pub(crate) struct Written {
    pub(crate) changes: Vec<Change>,
    pub(crate) delta: Delta,
    pub(super) usage: UsageDelta,
}

impl Written {
    /// Whether there is nothing to tell of.
    pub(super) fn is_nothing(&self) -> bool {
        self.changes.is_empty() && self.delta.iter().all(|delta| *delta == 0) && self.usage.is_empty()
    }
}

/// Counts are kept along from the middle of their range, so that they may fall below where they began.
const MIDDLE: u64 = 1 << 62;

/// Notes what changes, beside the rows that were there before.
pub(super) fn record(mutations: &[Mutation], view: &View, unknown: &BTreeMap<TaskKey, TaskRow>) -> Written {
    let mut totals = Totals::from_counts([MIDDLE; Totals::COUNTS]);
    let mut recorder = Recorder::new(&mut totals);
    let old_task = |key: &TaskKey| view.tasks.get(key).or_else(|| unknown.get(key));
    for mutation in mutations {
        match mutation {
            Mutation::PutNode(id, row) => {
                let old = view.nodes.get(id).map(AsRef::as_ref);
                recorder.node_changed(id, old, row);
            }
            Mutation::PutFile(id, row) => {
                let old = view.files.get(id).map(|old| OldFile {
                    name: &old.name,
                    owner: old.owner.as_ref(),
                    has_same_content: has_same_content(old, row),
                });
                recorder.file_written(id, old, row);
            }
            Mutation::DeleteFile(id) => {
                if view.files.contains_key(id) {
                    recorder.file_deleted(id);
                }
            }
            Mutation::PutChunk(id, row) => recorder.chunk_written(id, view.chunks.get(id), row),
            Mutation::DeleteChunk(id) => {
                if let Some(old) = view.chunks.get(id) {
                    recorder.chunk_deleted(id, old);
                }
            }
            Mutation::PutTask(node, chunk, row) => {
                let old = old_task(&(node.clone(), chunk.clone()));
                recorder.task_changed((node, chunk), old, Some(row));
            }
            Mutation::DeleteTask(node, chunk) => {
                let old = old_task(&(node.clone(), chunk.clone()));
                recorder.task_changed((node, chunk), old, None);
            }
            Mutation::PutBeat(..)
            | Mutation::PutSharer(..)
            | Mutation::DeleteSharer(..)
            | Mutation::PutRelease(..)
            | Mutation::DeleteRelease(..)
            | Mutation::PutRequest(..)
            | Mutation::DeleteRequest(..) => {}
        }
    }
    let changes = recorder.into_changes();
    let mut delta = [0; Totals::COUNTS];
    for (delta, count) in delta.iter_mut().zip(totals.to_counts()) {
        *delta = count.wrapping_sub(MIDDLE).cast_signed();
    }
    Written {
        changes,
        delta,
        usage: UsageDelta::of(mutations, view),
    }
}

/// Whether a file keeps its hash, its length and its chunks.
pub(super) fn has_same_content(old: &FileRow, new: &FileRow) -> bool {
    old.hash == new.hash && old.size == new.size && old.chunks == new.chunks
}
