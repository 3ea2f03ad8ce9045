//! All the nodes of a run, found by number or by id, and what they do among each other: fetch chunks, receive
//! uploads.
//!
//! Shared by the scheduler, the file clients, the progress display and the verification. Locks are held for
//! one question or change at a time, never two at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytesize::ByteSize;
use serde::Serialize;

use crate::chunk_id::ChunkId;
use crate::layout::{NodeIndex, NodeProfile};
use crate::node::{Presence, Receipt, SimNode};
use crate::tasks::Source;

/// The simulated nodes.
#[derive(Debug)]
pub struct Fleet {
    profiles: Vec<NodeProfile>,
    nodes: Vec<Mutex<SimNode>>,
    by_id: HashMap<String, NodeIndex>,
}

/// How many nodes are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Census {
    /// All of them.
    pub total: usize,
    /// Not yet registered.
    pub starting: usize,
    /// Registered and beating.
    pub active: usize,
    /// Failed on purpose.
    pub failed: usize,
    /// Refused by the coordinator.
    pub rejected: usize,
}

/// Whether a node holds a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It does.
    Holds,
    /// It was chosen to and has not got it yet: it was silent or full when the chunk was uploaded, or is to copy it.
    Awaits,
    /// It does not.
    Lacks,
    /// The node is not of this fleet: nothing is known of it.
    Elsewhere,
}

impl Fleet {
    /// The fleet of these nodes; none has registered yet.
    #[must_use]
    pub fn new(profiles: Vec<NodeProfile>, now: Instant) -> Self {
        let nodes = profiles
            .iter()
            .enumerate()
            .map(|(index, profile)| Mutex::new(SimNode::new(profile.capacity, index as f64, now)))
            .collect();
        let by_id = profiles
            .iter()
            .enumerate()
            .map(|(index, profile)| (profile.id.clone(), NodeIndex(index)))
            .collect();
        Fleet {
            profiles,
            nodes,
            by_id,
        }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every node's number.
    pub fn indexes(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.nodes.len()).map(NodeIndex)
    }

    /// What the node tells about itself.
    #[must_use]
    pub fn profile(&self, node: NodeIndex) -> &NodeProfile {
        &self.profiles[node.0]
    }

    /// The node of that id, if it is one of ours.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    /// Looks at a node or changes it. `act` must not touch another node.
    pub fn with<R>(&self, node: NodeIndex, act: impl FnOnce(&mut SimNode) -> R) -> R {
        act(&mut self.nodes[node.0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uploads a chunk to the node of that id; `None` when it is not of this fleet.
    pub fn upload(&self, node_id: &str, chunk: &ChunkId, size: ByteSize) -> Option<Receipt> {
        self.find(node_id)
            .map(|node| self.with(node, |node| node.receive(chunk, size)))
    }

    /// Whether `reader` can fetch the chunk from one of the sources: another node of the fleet that answers
    /// and holds it, or a node of somebody else's with an address.
    #[must_use]
    pub fn has_usable_source(&self, reader: NodeIndex, chunk: &ChunkId, sources: &[Source]) -> bool {
        sources.iter().any(|source| match self.find(&source.node_id) {
            Some(node) => {
                node != reader
                    && self.with(node, |node| {
                        node.presence() == Presence::Active && node.holds(chunk)
                    })
            }
            None => !source.address.is_empty(),
        })
    }

    /// Whether the node of that id holds the chunk; a failed node still has its disk.
    #[must_use]
    pub fn holding(&self, node_id: &str, chunk: &ChunkId) -> Holding {
        match self.find(node_id) {
            None => Holding::Elsewhere,
            Some(node) => self.with(node, |node| match (node.holds(chunk), node.awaits(chunk)) {
                (true, _) => Holding::Holds,
                (false, true) => Holding::Awaits,
                (false, false) => Holding::Lacks,
            }),
        }
    }

    /// Whether a node that is registered and beating holds the chunk.
    #[must_use]
    pub fn is_reachable(&self, chunk: &ChunkId) -> bool {
        self.indexes().any(|node| {
            self.with(node, |node| {
                node.presence() == Presence::Active && node.holds(chunk)
            })
        })
    }

    /// Takes out those chunks that a node that answers holds.
    pub fn leave_unreachable(&self, chunks: &mut HashSet<ChunkId>) {
        for node in self.indexes() {
            self.with(node, |node| {
                if node.presence() != Presence::Silent {
                    for chunk in node.chunks() {
                        chunks.remove(chunk);
                    }
                }
            });
        }
    }

    /// How many nodes are in which state.
    #[must_use]
    pub fn census(&self) -> Census {
        let mut census = Census {
            total: self.len(),
            ..Census::default()
        };
        for node in self.indexes() {
            match self.with(node, |node| node.presence()) {
                Presence::Starting => census.starting += 1,
                Presence::Active => census.active += 1,
                Presence::Silent => census.failed += 1,
                Presence::Rejected => census.rejected += 1,
            }
        }
        census
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytesize::ByteSize;

    use super::{Fleet, Holding};
    use crate::chunk_id::ChunkId;
    use crate::layout::{NodeIndex, NodeProfile};
    use crate::node::Receipt;
    use crate::tasks::Source;

    fn fleet() -> Fleet {
        let profiles = (1..=3).map(|number| NodeProfile {
            id: format!("n{number}"),
            zone: "zone-1".to_owned(),
            rack: "zone-1-rack-1".to_owned(),
            address: format!("10.0.0.{number}:7000"),
            capacity: ByteSize::gib(1),
        });
        let fleet = Fleet::new(profiles.collect(), Instant::now());
        for node in fleet.indexes() {
            fleet.with(node, |node| node.registered());
        }
        fleet
    }

    fn source(node_id: &str, address: &str) -> Source {
        Source {
            node_id: node_id.to_owned(),
            address: address.to_owned(),
        }
    }

    #[test]
    fn a_source_must_answer_and_hold_the_chunk() {
        let fleet = fleet();
        let chunk = ChunkId::from("c");
        let usable = |sources: &[Source]| fleet.has_usable_source(NodeIndex(0), &chunk, sources);
        assert!(!usable(&[]));
        assert!(
            !usable(&[source("n2", "10.0.0.2:7000")]),
            "it does not hold the chunk"
        );
        assert_eq!(
            fleet.upload("n2", &chunk, ByteSize::kib(1)),
            Some(Receipt::Stored)
        );
        assert!(usable(&[source("n3", ""), source("n2", "10.0.0.2:7000")]));
        fleet.with(NodeIndex(1), |node| node.fail());
        assert!(!usable(&[source("n2", "10.0.0.2:7000")]), "it is silent");
        assert!(
            usable(&[source("stranger", "10.9.9.9:7000")]),
            "a stranger is taken at its word"
        );
        assert!(!usable(&[source("stranger", "")]));
        fleet.upload("n1", &chunk, ByteSize::kib(1));
        assert!(!usable(&[source("n1", "10.0.0.1:7000")]), "itself is no source");
    }

    #[test]
    fn holding_tells_ours_from_strangers() {
        let fleet = fleet();
        let chunk = ChunkId::from("c");
        fleet.upload("n1", &chunk, ByteSize::kib(1));
        assert_eq!(fleet.holding("n1", &chunk), Holding::Holds);
        assert_eq!(fleet.holding("n2", &chunk), Holding::Lacks);
        assert_eq!(fleet.holding("stranger", &chunk), Holding::Elsewhere);
        assert_eq!(fleet.upload("stranger", &chunk, ByteSize::kib(1)), None);
        assert!(fleet.is_reachable(&chunk));
        fleet.with(NodeIndex(1), |node| node.fail());
        fleet.upload("n2", &chunk, ByteSize::kib(1));
        assert_eq!(fleet.holding("n2", &chunk), Holding::Awaits);
        fleet.with(NodeIndex(1), |node| node.come_back(Instant::now()));
        fleet.with(NodeIndex(0), |node| node.fail());
        assert!(!fleet.is_reachable(&chunk));
        assert_eq!(fleet.census().failed, 1);
    }
}
