//! Which chunks that no file holds are to be deleted from their nodes.

use super::Nodes;
use crate::id::NodeId;
use crate::row::{ChunkRow, ReplicaState};

/// The nodes whose copies can be deleted now, each with whether it must be told: it is there and was not told yet. An
/// unregistered one need not be told; a silent one is told when it is back.
pub fn deletable<'a>(chunk: &'a ChunkRow, nodes: &'a impl Nodes) -> impl Iterator<Item = (&'a NodeId, bool)> {
    let copies = chunk
        .replicas
        .iter()
        .filter(|replica| replica.state != ReplicaState::Deleting);
    copies.filter_map(|replica| {
        let node = nodes.node(&replica.node)?;
        (node.is_removed() || node.serves_reads()).then_some((&replica.node, !node.is_removed()))
    })
}
