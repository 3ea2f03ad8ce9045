//! One layer of writes in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::TableDefinition;
use smallvec::SmallVec;

/// A table of the state database. Stored data depends on the names, and what replicas send each other on the order: a new
/// one comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// What the whole state is stamped with: applied index, membership, totals.
    Meta,
    /// Nodes by id.
    Nodes,
    /// Last heartbeats by node.
    Beats,
    /// Files by id.
    Files,
    /// Chunks, many in a row, by ascending handle and segment.
    Segments,
    /// Digest of a chunk's id to the handle and segment that hold it.
    ChunkIndex,
    /// Sharers of chunks.
    Sharers,
    /// Chunks that no file holds.
    Orphans,
    /// Unfinished releases.
    Releases,
    /// Remembered requests.
    Requests,
    /// Tasks by node and chunk.
    Tasks,
    /// How much lies on each node, by handle.
    Usage,
}

impl Table {
    /// Every table, in the order in which they are written.
    pub(crate) const ALL: [Self; 12] = [
        Self::Meta,
        Self::Nodes,
        Self::Beats,
        Self::Files,
        Self::Segments,
        Self::ChunkIndex,
        Self::Sharers,
        Self::Orphans,
        Self::Releases,
        Self::Requests,
        Self::Tasks,
        Self::Usage,
    ];

    /// The table of a number, as `table as u8` gives it.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Nodes => "nodes",
            Self::Beats => "beats",
            Self::Files => "files",
            Self::Segments => "segments",
            Self::ChunkIndex => "chunk_index",
            Self::Sharers => "sharers",
            Self::Orphans => "orphans",
            Self::Releases => "releases",
            Self::Requests => "requests",
            Self::Tasks => "tasks",
            Self::Usage => "usage",
        }
    }

    pub(crate) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name())
    }
}

/// The values of a layer's keys; `None` hides what a deeper layer holds.
pub(crate) type Entries = BTreeMap<Key, Option<Arc<[u8]>>>;

/// A key. Those of segments and of the chunk index, which are most, lie in the tree itself: a search compares some twenty.
pub(crate) type Key = SmallVec<[u8; 16]>;

/// Writes that are not on disk yet.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    tables: [Entries; Table::ALL.len()],
    bytes: usize,
}

/// What an entry costs in memory beside its key and value, roughly: the tree's share and two allocations.
const ENTRY_OVERHEAD: usize = 80;

impl Layer {
    /// The entries of a table.
    pub(crate) fn table(&self, table: Table) -> &Entries {
        &self.tables[table as usize]
    }

    /// Writes a value, or hides one.
    pub(crate) fn set(&mut self, table: Table, key: &[u8], value: Option<Arc<[u8]>>) {
        let added = value.as_ref().map_or(0, |value| value.len());
        match self.tables[table as usize].insert(key.into(), value) {
            Some(replaced) => {
                self.bytes = (self.bytes + added).saturating_sub(replaced.map_or(0, |value| value.len()));
            }
            None => self.bytes += ENTRY_OVERHEAD + key.len() + added,
        }
    }

    /// About how much memory the layer takes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}
