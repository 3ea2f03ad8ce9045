//! The nodes and their last heartbeats, decoded in memory and written through.
//!
//! Replicas are stored by a node's *handle*, a small number given to each node id once, because a chunk's row names
//! three nodes and there are millions of chunks. Handles are never given twice: nodes leave tombstones.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zephyrfs_core::engine::BeatingNode;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{BeatRow, NodeRow};

use super::{decode, encode, text_key};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

/// Bytes of a node's handle in keys.
pub(super) const HANDLE_LEN: usize = 4;

/// A node in memory.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    handle: u32,
    pub(crate) row: Arc<NodeRow>,
    pub(crate) beat: Option<BeatRow>,
    tasks: u32,
}

/// All nodes.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    nodes: BTreeMap<NodeId, Known>,
    by_handle: Vec<NodeId>,
    version: u64,
}

/// A node as stored.
#[derive(Serialize, Deserialize)]
struct StoredNode {
    handle: u32,
    row: NodeRow,
}

const EVERYTHING: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

impl Registry {
    /// Reads every node.
    pub(crate) fn load(layered: &Layered) -> Result<Self, StoreError> {
        let mut nodes = BTreeMap::new();
        let mut by_handle = BTreeMap::new();
        for pair in layered.range(Table::Nodes, EVERYTHING)? {
            let (key, value) = pair?;
            let id = NodeId::from(text_key(Table::Nodes, &key)?);
            let StoredNode { handle, row } = decode(Table::Nodes, &value)?;
            by_handle.insert(handle, id.clone());
            nodes.insert(
                id,
                Known {
                    handle,
                    row: Arc::new(row),
                    beat: None,
                    tasks: 0,
                },
            );
        }
        for pair in layered.range(Table::Beats, EVERYTHING)? {
            let (key, value) = pair?;
            let id = NodeId::from(text_key(Table::Beats, &key)?);
            let known = nodes
                .get_mut(&id)
                .ok_or_else(|| StoreError::corrupt(Table::Beats.name(), format!("no node {id}")))?;
            known.beat = Some(decode(Table::Beats, &value)?);
        }
        if by_handle
            .last_key_value()
            .is_some_and(|(&last, _)| last as usize + 1 != by_handle.len())
        {
            return Err(StoreError::corrupt(
                Table::Nodes.name(),
                "a node's handle is missing",
            ));
        }
        let mut registry = Self {
            nodes,
            by_handle: by_handle.into_values().collect(),
            version: 1,
        };
        for pair in layered.range(Table::Tasks, EVERYTHING)? {
            let node = registry.node_in_key(Table::Tasks, &pair?.0)?.clone();
            registry.count_task(&node, 1);
        }
        Ok(registry)
    }

    /// A node.
    pub(crate) fn get(&self, id: &NodeId) -> Option<&Known> {
        self.nodes.get(id)
    }

    /// All nodes by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Known)> {
        self.nodes.iter()
    }

    /// The nodes after one of them by id, or all of them.
    pub(crate) fn after(&self, id: Option<&NodeId>) -> impl Iterator<Item = (&NodeId, &Known)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.nodes.range::<NodeId, _>((from, Bound::Unbounded))
    }

    /// What there is to know of a node whose heartbeat came in.
    pub(crate) fn beating(&self, id: &NodeId) -> Option<BeatingNode> {
        self.nodes.get(id).map(|known| BeatingNode {
            row: Arc::clone(&known.row),
            beat: known.beat,
            tasks: known.tasks as usize,
        })
    }

    /// Grows whenever a node's row changes, not with its beats.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Counts on from another registry, in whose place this one comes.
    pub(crate) const fn follow(&mut self, before: &Self) {
        self.version = before.version + 1;
    }

    /// Writes a node, and tells what stood there before.
    pub(crate) fn put_node(
        &mut self,
        layered: &mut Layered,
        id: &NodeId,
        row: &NodeRow,
    ) -> Result<Option<Arc<NodeRow>>, StoreError> {
        let before = self.nodes.get(id);
        let handle = match before {
            Some(known) => known.handle,
            None => u32::try_from(self.by_handle.len())
                .map_err(|_| StoreError::corrupt(Table::Nodes.name(), "no handles are left"))?,
        };
        let beat = before.and_then(|known| known.beat);
        let tasks = before.map_or(0, |known| known.tasks);
        let stored = StoredNode {
            handle,
            row: row.clone(),
        };
        layered.put(
            Table::Nodes,
            id.as_str().as_bytes(),
            encode(Table::Nodes, &stored)?,
        );
        let known = Known {
            handle,
            row: Arc::new(stored.row),
            beat,
            tasks,
        };
        let before = self.nodes.insert(id.clone(), known).map(|known| known.row);
        if before.is_none() {
            self.by_handle.push(id.clone());
        }
        self.version += 1;
        Ok(before)
    }

    /// Writes a node's last heartbeat.
    pub(crate) fn put_beat(
        &mut self,
        layered: &mut Layered,
        id: &NodeId,
        beat: BeatRow,
    ) -> Result<(), StoreError> {
        let known = self
            .nodes
            .get_mut(id)
            .ok_or_else(|| StoreError::corrupt(Table::Beats.name(), format!("no node {id}")))?;
        layered.put(Table::Beats, id.as_str().as_bytes(), encode(Table::Beats, &beat)?);
        known.beat = Some(beat);
        Ok(())
    }

    /// The node whose handle, big-endian, is the beginning of a key.
    pub(super) fn node_in_key(&self, table: Table, key: &[u8]) -> Result<&NodeId, StoreError> {
        let handle = key
            .first_chunk::<HANDLE_LEN>()
            .ok_or_else(|| StoreError::corrupt(table.name(), "a key that is too short"))?;
        self.node_of(u32::from_be_bytes(*handle))
    }

    /// How many tasks a node has; none if it is not known.
    pub(super) fn tasks_of(&self, id: &NodeId) -> u32 {
        self.nodes.get(id).map_or(0, |known| known.tasks)
    }

    /// A node has a task more, or less.
    pub(super) fn count_task(&mut self, id: &NodeId, change: i32) {
        if let Some(known) = self.nodes.get_mut(id) {
            known.tasks = known.tasks.saturating_add_signed(change);
        }
    }

    /// The handle that replicas on a node are stored under.
    pub(crate) fn handle_of(&self, id: &NodeId) -> Result<u32, StoreError> {
        let known = self.nodes.get(id);
        known
            .map(|known| known.handle)
            .ok_or_else(|| StoreError::corrupt(Table::Segments.name(), format!("no node {id}")))
    }

    /// The node of a handle.
    pub(crate) fn node_of(&self, handle: u32) -> Result<&NodeId, StoreError> {
        self.by_handle.get(handle as usize).ok_or_else(|| {
            StoreError::corrupt(Table::Segments.name(), format!("no node has handle {handle}"))
        })
    }
}
