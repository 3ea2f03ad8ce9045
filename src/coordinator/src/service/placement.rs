//! From the picture of the nodes to a plan, and to an explanation: the one file that speaks to the planner.

use std::collections::HashMap;

use zephyrfs_core::engine::NodeWithBeat;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{ChunkRow, NodeRow};
use zephyrfs_core::units::ByteSize;

/// The nodes that may be chosen.
pub(super) struct Topology {
    candidates: Vec<Candidate>,
}

/// A node as the planner sees it.
pub(super) struct Candidate {
    node: NodeId,
    takes_replicas: bool,
    free: ByteSize,
}

/// Which nodes were chosen for which chunk.
pub(super) struct Plan {
    /// Every node that was chosen for some chunk.
    pub(super) nodes: Vec<NodeId>,
    /// For each chunk, positions in `nodes`, best first.
    pub(super) targets: Vec<Vec<u32>>,
}

/// The nodes as the planner wants them.
pub(super) fn candidates(nodes: &[(NodeId, NodeWithBeat)]) -> Vec<Candidate> {
    nodes
        .iter()
        .map(|(id, (row, beat))| Candidate {
            node: id.clone(),
            takes_replicas: NodeRow::takes_replicas(row),
            free: beat.map_or(row.capacity, |beat| row.capacity.minus(beat.stats.storage_used)),
        })
        .collect()
}

impl Topology {
    pub(super) fn new(candidates: Vec<Candidate>) -> Self {
        Self { candidates }
    }

    pub(super) fn plan(
        &self,
        sizes: &[ByteSize],
        wanted: u32,
        seed: u64,
        promised: &HashMap<NodeId, ByteSize>,
    ) -> Plan {
        let mut free: Vec<_> = self
            .candidates
            .iter()
            .filter(|candidate| candidate.takes_replicas)
            .map(|candidate| {
                let taken = promised.get(&candidate.node).copied().unwrap_or_default();
                (candidate.node.clone(), candidate.free.minus(taken))
            })
            .collect();
        let mut at = usize::try_from(seed).unwrap_or_default();
        let targets = sizes
            .iter()
            .map(|size| {
                let mut chosen = Vec::new();
                for step in 0..free.len() {
                    let place = at.wrapping_add(step) % free.len();
                    if chosen.len() < wanted as usize && free[place].1 >= *size {
                        free[place].1 = free[place].1.minus(*size);
                        chosen.push(place as u32);
                    }
                }
                at = at.wrapping_add(1);
                chosen
            })
            .collect();
        Plan {
            nodes: free.into_iter().map(|(node, _)| node).collect(),
            targets,
        }
    }

    /// What keeps each node from taking a further replica of a chunk; `None` where nothing does.
    pub(super) fn explain(&self, chunk: &ChunkRow) -> Vec<(NodeId, Option<String>)> {
        self.candidates
            .iter()
            .map(|candidate| {
                let may = candidate.takes_replicas && chunk.replica_on(&candidate.node).is_none();
                (candidate.node.clone(), (!may).then(|| "not eligible".to_owned()))
            })
            .collect()
    }
}
