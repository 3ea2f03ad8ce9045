//! What lies on each node: stored copies of chunks that files hold, and their bytes.
//!
//! Kept along with every change, so that a decision may ask whether a node is empty without looking at every chunk.

use serde::{Deserialize, Serialize};

use super::{ChunkRow, ReplicaState};
use crate::id::NodeId;
use crate::units::ByteSize;

/// Stored copies on one node of chunks that files hold. What is on its way there, or being deleted, does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How many.
    pub copies: u64,
    /// Their bytes.
    pub bytes: ByteSize,
}

impl Usage {
    /// One copy more.
    pub fn add(&mut self, size: ByteSize) {
        self.copies += 1;
        self.bytes = self.bytes.plus(size);
    }

    /// One copy less.
    pub fn remove(&mut self, size: ByteSize) {
        debug_assert!(self.copies > 0, "a node would have less than no copies");
        self.copies = self.copies.saturating_sub(1);
        self.bytes = self.bytes.minus(size);
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.copies == 0
    }
}

/// The nodes to whose usage a chunk counts.
pub fn users(chunk: &ChunkRow) -> impl Iterator<Item = &NodeId> {
    let counted = chunk
        .replicas
        .iter()
        .filter(|replica| replica.state == ReplicaState::Stored && chunk.is_referenced());
    counted.map(|replica| &replica.node)
}
