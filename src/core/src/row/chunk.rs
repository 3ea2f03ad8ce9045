//! A chunk: its content, who holds copies of it, and which files need it.

use serde::{Deserialize, Serialize};

use crate::id::{ContentHash, FileId, NodeId};
use crate::units::{ByteSize, Timestamp};

/// A known chunk.
///
/// A chunk has a home: the file it is shown under. Further files that hold it are rows of their own ([`super::Row::Sharer`]),
/// so that a chunk in ten thousand files costs no more to change than one in a single file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRow {
    /// The hash of its content.
    pub hash: ContentHash,
    /// Its length.
    pub size: ByteSize,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The file it is shown under; `None` once no file holds it.
    pub home: Option<FileId>,
    /// Its index in its home.
    pub index: u32,
    /// How many files hold it besides its home.
    pub sharers: u32,
    /// When the last file that held it let go of it; `None` while one does. Of a chunk that turned up on a node without
    /// being known: when its quarantine ends.
    pub unreferenced_since: Option<Timestamp>,
    /// Where copies are or shall be, in the order in which they were chosen. Never two on one node.
    pub replicas: Vec<Replica>,
}

/// A copy of a chunk on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The node.
    pub node: NodeId,
    /// Whether the copy is known to be there.
    pub state: ReplicaState,
}

/// Whether a copy is known to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReplicaState {
    /// The node was told to take it.
    Assigned,
    /// The node said that it has it.
    Stored,
    /// The node was told to drop it: it is no longer a copy, and the node cannot take another before it is done.
    Deleting,
}

impl ReplicaState {
    /// The word that operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Stored => "stored",
            Self::Deleting => "deleting",
        }
    }
}

impl ChunkRow {
    /// Whether some file holds the chunk. A chunk that none holds is kept for a grace period, and shown to nobody.
    pub const fn is_referenced(&self) -> bool {
        self.home.is_some()
    }

    /// Whether no file has held the chunk since before a time.
    pub fn is_unreferenced_since_before(&self, time: Timestamp) -> bool {
        !self.is_referenced() && self.unreferenced_since.is_some_and(|since| since < time)
    }

    /// The replica on a node, if there is one.
    pub fn replica_on(&self, node: &NodeId) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.node == *node)
    }

    /// How many copies there are or shall be: those that are being deleted do not count.
    pub fn copies(&self) -> usize {
        let kept = |replica: &&Replica| replica.state != ReplicaState::Deleting;
        self.replicas.iter().filter(kept).count()
    }

    /// The nodes to ask for the chunk: those that said they store it first, then those told to.
    pub fn nodes_stored_first(&self) -> impl Iterator<Item = &NodeId> {
        let in_state = |state| {
            self.replicas
                .iter()
                .filter(move |replica| replica.state == state)
                .map(|replica| &replica.node)
        };
        in_state(ReplicaState::Stored).chain(in_state(ReplicaState::Assigned))
    }

    /// Whether a client's description of the chunk is of the same content.
    pub fn same_content(&self, hash: &ContentHash, size: ByteSize) -> bool {
        self.hash == *hash && self.size == size
    }
}
