//! What changed between two dumps: what a store must have told of the command between them, whatever mutations it wrote.

use std::collections::BTreeMap;

use crate::event::{Change, OldFile, Recorder};
use crate::row::Row;
use crate::totals::Totals;

/// Changes in an order that does not depend on the order of writing.
pub fn in_order_of_ids(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_cached_key(|change| {
        let ids = match change {
            Change::Cluster(_) => [String::new(), String::new()],
            Change::Node(id, _) => [id.to_string(), String::new()],
            Change::File(id, _) => [id.to_string(), String::new()],
            Change::Chunk(id, _) => [id.to_string(), String::new()],
            Change::Task(node, chunk, _) => [node.to_string(), chunk.to_string()],
        };
        (change.kind(), ids)
    });
    changes
}

/// What must be told of a command that came between two dumps, sorted.
pub(super) fn between(before: &[Row], after: &[Row]) -> Vec<Change> {
    let mut rows: BTreeMap<_, (Option<&Row>, Option<&Row>)> = BTreeMap::new();
    for row in before {
        rows.entry(key(row)).or_default().0 = Some(row);
    }
    for row in after {
        rows.entry(key(row)).or_default().1 = Some(row);
    }
    let mut totals = Totals::default();
    before.iter().for_each(|row| totals.count(row));
    let mut recorder = Recorder::new(&mut totals);
    for (old, new) in rows.into_values().filter(|(old, new)| old != new) {
        record(old, new, &mut recorder);
    }
    in_order_of_ids(recorder.into_changes())
}

fn record(old: Option<&Row>, new: Option<&Row>, recorder: &mut Recorder<'_>) {
    match (old, new) {
        (None, Some(Row::Node(id, new))) => recorder.node_changed(id, None, new),
        (Some(Row::Node(_, old)), Some(Row::Node(id, new))) => recorder.node_changed(id, Some(old), new),
        (None, Some(Row::File(id, new))) => recorder.file_written(id, None, new),
        (Some(Row::File(_, old)), Some(Row::File(id, new))) => {
            let has_same_content = old.hash == new.hash && old.size == new.size && old.chunks == new.chunks;
            let old = OldFile {
                name: &old.name,
                owner: old.owner.as_ref(),
                has_same_content,
            };
            recorder.file_written(id, Some(old), new);
        }
        (Some(Row::File(id, _)), None) => recorder.file_deleted(id),
        (None, Some(Row::Chunk(id, new))) => recorder.chunk_written(id, None, new),
        (Some(Row::Chunk(_, old)), Some(Row::Chunk(id, new))) => recorder.chunk_written(id, Some(old), new),
        (Some(Row::Chunk(id, old)), None) => recorder.chunk_deleted(id, old),
        (None, Some(Row::Task(node, chunk, new))) => recorder.task_changed((node, chunk), None, Some(new)),
        (Some(Row::Task(_, _, old)), Some(Row::Task(node, chunk, new))) => {
            recorder.task_changed((node, chunk), Some(old), Some(new));
        }
        (Some(Row::Task(node, chunk, old)), None) => recorder.task_changed((node, chunk), Some(old), None),
        // Nobody is told of the others.
        _ => {}
    }
}

/// The kind of a row that changes are told of, and its key; all others are one.
fn key(row: &Row) -> (u8, String, String) {
    match row {
        Row::Node(id, _) => (1, id.to_string(), String::new()),
        Row::File(id, _) => (2, id.to_string(), String::new()),
        Row::Chunk(id, _) => (3, id.to_string(), String::new()),
        Row::Task(node, chunk, _) => (4, node.to_string(), chunk.to_string()),
        Row::Beat(..) | Row::Sharer(..) | Row::Release(..) | Row::Request(..) => {
            (0, String::new(), String::new())
        }
    }
}
