//! Which chunks that no file holds are to be deleted from their nodes.

use super::Nodes;
use crate::row::{ChunkRow, ReplicaState};
use crate::units::Timestamp;

/// Whether no file has held the chunk since before a time.
pub fn is_due(chunk: &ChunkRow, unreferenced_since: Timestamp) -> bool {
    !chunk.is_referenced()
        && chunk
            .unreferenced_since
            .is_some_and(|since| since < unreferenced_since)
}

/// Whether deleting the chunk's copies would get anywhere: some node that is there was not told yet, or one that may have
/// had a copy was unregistered. A silent node is told when it is back.
pub fn has_copies_to_delete(chunk: &ChunkRow, nodes: &impl Nodes) -> bool {
    chunk.replicas.iter().any(|replica| {
        nodes.node(&replica.node).is_some_and(|node| {
            node.is_removed() || (replica.state != ReplicaState::Deleting && node.serves_reads())
        })
    })
}
