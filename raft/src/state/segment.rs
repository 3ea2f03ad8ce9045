//! The stored form of chunks: up to [`SEGMENT`] of them in a row.

use serde::{Deserialize, Serialize};
use zephyrfs_core::id::{ChunkId, ContentHash, FileId};
use zephyrfs_core::row::{ChunkRow, Replica, ReplicaState};
use zephyrfs_core::units::{ByteSize, Timestamp};

use super::registry::Registry;
use crate::error::StoreError;
use crate::kv::Table;

/// How many chunks lie in one row: enough to spread the row's own cost, few enough to decode for the sake of one.
pub(crate) const SEGMENT: usize = 16;

/// Bits of a stored replica that are its state.
const STATE_BITS: u32 = 2;
const STATE_MASK: u32 = (1 << STATE_BITS) - 1;

/// The numbers of the states.
const ASSIGNED: u32 = 0;
const STORED: u32 = 1;
const DELETING: u32 = 2;

/// Where a chunk's record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) handle: u64,
    pub(crate) segment: u32,
}

impl Place {
    /// Bytes of a stored place.
    pub(crate) const LEN: usize = 12;

    /// As a key, which sorts as places do, and as a value of the index.
    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.handle.to_be_bytes());
        bytes[8..].copy_from_slice(&self.segment.to_be_bytes());
        bytes
    }

    /// From its bytes, if there are as many as there must be.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (handle, segment) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            handle: u64::from_be_bytes(*handle),
            segment: u32::from_be_bytes(segment.try_into().ok()?),
        })
    }
}

/// Chunks that lie together: those of one file, or a lone one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// The file that they were registered with.
    pub(crate) file: FileId,
    /// When.
    pub(crate) created_at: Timestamp,
    /// The file's chunks in order, or what is left of them.
    pub(crate) entries: Vec<Entry>,
}

/// A chunk in a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Its record.
    Here(Record),
    /// A chunk that the file holds and whose record lies elsewhere.
    Elsewhere(ChunkId, u32),
}

impl Entry {
    /// The chunk, and its index as this entry knows it.
    pub(crate) const fn chunk(&self) -> (&ChunkId, u32) {
        match self {
            Self::Here(record) => (&record.id, record.index),
            Self::Elsewhere(id, index) => (id, *index),
        }
    }
}

/// A chunk as stored. What is the same for most chunks of a segment takes a byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: ChunkId,
    /// `None` when it is spelled like the id.
    hash: Option<ContentHash>,
    size: ByteSize,
    index: u32,
    /// `None` when it is the segment's.
    created_at: Option<Timestamp>,
    home: Home,
    sharers: u32,
    unreferenced_since: Option<Timestamp>,
    /// Four times the node's handle, plus the number of the state.
    replicas: Vec<u32>,
}

/// The file that a chunk is shown under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Home {
    /// The segment's.
    Segment,
    /// Another.
    Other(FileId),
    /// None.
    Nowhere,
}

impl Record {
    /// The chunk's length.
    pub(super) const fn size(&self) -> ByteSize {
        self.size
    }

    /// The handles of the nodes to whose usage the chunk counts: those of [`zephyrfs_core::users`].
    pub(super) fn users(&self) -> impl Iterator<Item = u32> {
        let is_referenced = self.home != Home::Nowhere;
        let counts = move |stored: &&u32| is_referenced && **stored & STATE_MASK == STORED;
        self.replicas
            .iter()
            .filter(counts)
            .map(|stored| stored >> STATE_BITS)
    }
}

impl Segment {
    /// The record of a chunk, if it lies here.
    pub(crate) fn record(&self, id: &ChunkId) -> Option<&Record> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Here(record) if record.id == *id => Some(record),
            Entry::Here(_) | Entry::Elsewhere(..) => None,
        })
    }

    /// A chunk's record for this segment.
    pub(crate) fn to_record(
        &self,
        id: &ChunkId,
        row: &ChunkRow,
        registry: &Registry,
    ) -> Result<Record, StoreError> {
        let ChunkRow {
            hash,
            size,
            created_at,
            home,
            index,
            sharers,
            unreferenced_since,
            replicas,
        } = row;
        Ok(Record {
            id: id.clone(),
            hash: (hash.as_str() != id.as_str()).then(|| hash.clone()),
            size: *size,
            index: *index,
            created_at: (*created_at != self.created_at).then_some(*created_at),
            home: match home {
                Some(file) if *file == self.file => Home::Segment,
                Some(file) => Home::Other(file.clone()),
                None => Home::Nowhere,
            },
            sharers: *sharers,
            unreferenced_since: *unreferenced_since,
            replicas: replicas
                .iter()
                .map(|replica| encode_replica(replica, registry))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The row that a record of this segment stands for.
    pub(crate) fn to_row(&self, record: &Record, registry: &Registry) -> Result<ChunkRow, StoreError> {
        let Record {
            id,
            hash,
            size,
            index,
            created_at,
            home,
            sharers,
            unreferenced_since,
            replicas,
        } = record;
        Ok(ChunkRow {
            hash: hash.clone().unwrap_or_else(|| ContentHash::from(id.as_str())),
            size: *size,
            created_at: created_at.unwrap_or(self.created_at),
            home: match home {
                Home::Segment => Some(self.file.clone()),
                Home::Other(file) => Some(file.clone()),
                Home::Nowhere => None,
            },
            index: *index,
            sharers: *sharers,
            unreferenced_since: *unreferenced_since,
            replicas: replicas
                .iter()
                .map(|&stored| decode_replica(stored, registry))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn encode_replica(replica: &Replica, registry: &Registry) -> Result<u32, StoreError> {
    let state = match replica.state {
        ReplicaState::Assigned => ASSIGNED,
        ReplicaState::Stored => STORED,
        ReplicaState::Deleting => DELETING,
    };
    Ok(registry.handle_of(&replica.node)? << STATE_BITS | state)
}

fn decode_replica(stored: u32, registry: &Registry) -> Result<Replica, StoreError> {
    let state = match stored & STATE_MASK {
        ASSIGNED => ReplicaState::Assigned,
        STORED => ReplicaState::Stored,
        DELETING => ReplicaState::Deleting,
        _ => {
            return Err(StoreError::corrupt(
                Table::Segments.name(),
                "a replica in a state that is none",
            ));
        }
    };
    Ok(Replica {
        node: registry.node_of(stored >> STATE_BITS)?.clone(),
        state,
    })
}
