//! Tasks by node and chunk. How many a node has is kept in memory: nearly every heartbeat asks, and nearly always there is
//! none.

use std::ops::Bound;

use zephyrfs_core::event::Recorder;
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::row::TaskRow;

use super::registry::{HANDLE_LEN, Registry};
use super::{decode, encode, text_key};
use crate::error::StoreError;
use crate::kv::{Layered, Pair, Table};

/// A task.
pub(super) fn load(
    layered: &Layered,
    registry: &Registry,
    node: &NodeId,
    chunk: &ChunkId,
) -> Result<Option<TaskRow>, StoreError> {
    if registry.tasks_of(node) == 0 {
        return Ok(None);
    }
    let bytes = layered.get(Table::Tasks, &key_of(registry, node, chunk)?)?;
    bytes.map(|bytes| decode(Table::Tasks, &bytes)).transpose()
}

/// A node's tasks by chunk.
pub(super) fn of_node<'a>(
    layered: &'a Layered,
    registry: &'a Registry,
    node: &'a NodeId,
) -> Result<impl Iterator<Item = Result<(NodeId, ChunkId, TaskRow), StoreError>> + 'a, StoreError> {
    let handle = match registry.tasks_of(node) {
        0 => None,
        _ => Some(registry.handle_of(node)?.to_be_bytes()),
    };
    let pairs = match handle {
        Some(handle) => Some(layered.range(Table::Tasks, (Bound::Included(&handle), Bound::Unbounded))?),
        None => None,
    };
    let of_it = pairs
        .into_iter()
        .flatten()
        .take_while(move |pair| match (pair, handle) {
            (Ok((key, _)), Some(handle)) => key.starts_with(&handle),
            (Err(_), _) | (_, None) => true,
        });
    Ok(of_it.map(|pair| parse(pair, registry)))
}

/// All tasks after one of them, or all of them, in an order of this engine's own.
pub(super) fn after<'a>(
    layered: &'a Layered,
    registry: &'a Registry,
    after: Option<&(NodeId, ChunkId)>,
) -> Result<impl Iterator<Item = Result<(NodeId, ChunkId, TaskRow), StoreError>> + use<'a>, StoreError> {
    let start = match after {
        // A page that ended at a node that nobody knows has nothing after it.
        Some((node, _)) if registry.get(node).is_none() => None,
        Some((node, chunk)) => Some(Some(key_of(registry, node, chunk)?)),
        None => Some(None),
    };
    let pairs = match &start {
        Some(key) => {
            let from = key.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            Some(layered.range(Table::Tasks, (from, Bound::Unbounded))?)
        }
        None => None,
    };
    Ok(pairs.into_iter().flatten().map(|pair| parse(pair, registry)))
}

/// Writes a task.
pub(super) fn put(
    layered: &mut Layered,
    registry: &mut Registry,
    recorder: &mut Recorder<'_>,
    (node, chunk): (&NodeId, &ChunkId),
    row: &TaskRow,
) -> Result<(), StoreError> {
    let old = load(layered, registry, node, chunk)?;
    let key = key_of(registry, node, chunk)?;
    layered.put(Table::Tasks, &key, encode(Table::Tasks, row)?);
    if old.is_none() {
        registry.count_task(node, 1);
    }
    recorder.task_changed((node, chunk), old.as_ref(), Some(row));
    Ok(())
}

/// Deletes a task, if there is one.
pub(super) fn delete(
    layered: &mut Layered,
    registry: &mut Registry,
    recorder: &mut Recorder<'_>,
    (node, chunk): (&NodeId, &ChunkId),
) -> Result<(), StoreError> {
    if let Some(old) = load(layered, registry, node, chunk)? {
        layered.delete(Table::Tasks, &key_of(registry, node, chunk)?);
        registry.count_task(node, -1);
        recorder.task_changed((node, chunk), Some(&old), None);
    }
    Ok(())
}

fn parse(
    pair: Result<Pair, StoreError>,
    registry: &Registry,
) -> Result<(NodeId, ChunkId, TaskRow), StoreError> {
    let (key, value) = pair?;
    let node = registry.node_in_key(Table::Tasks, &key)?.clone();
    let chunk = ChunkId::from(text_key(Table::Tasks, &key[HANDLE_LEN..])?);
    Ok((node, chunk, decode(Table::Tasks, &value)?))
}

fn key_of(registry: &Registry, node: &NodeId, chunk: &ChunkId) -> Result<Vec<u8>, StoreError> {
    let mut key = registry.handle_of(node)?.to_be_bytes().to_vec();
    key.extend_from_slice(chunk.as_str().as_bytes());
    Ok(key)
}
