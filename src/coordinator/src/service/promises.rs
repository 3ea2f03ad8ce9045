//! Space that chunks will take on nodes that have not reported it yet.
//!
//! Without this, everything registered between two heartbeats would be planned as if the nodes were still empty. A promise
//! counts until the node is heard from again; as many nodes are remembered as there are.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zephyrfs_core::engine::NodeWithBeat;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::{ByteSize, Timestamp};

/// What was promised to nodes.
#[derive(Debug, Default)]
pub(super) struct Promises(Mutex<HashMap<NodeId, Promise>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Promise {
    bytes: ByteSize,
    /// The node's last heartbeat when the first of these bytes was promised.
    since_beat: Option<Timestamp>,
}

impl Promises {
    /// Promises bytes to a node, whose last known heartbeat was at `last_beat`.
    pub(super) fn add(&self, node: &NodeId, bytes: ByteSize, last_beat: Option<Timestamp>) {
        let mut promises = self.promises();
        match promises.get_mut(node) {
            Some(promise) => promise.bytes = promise.bytes.plus(bytes),
            None => {
                let promise = Promise {
                    bytes,
                    since_beat: last_beat,
                };
                promises.insert(node.clone(), promise);
            }
        }
    }

    /// Forgets what nodes have had the chance to report, and nodes that are gone. `nodes` are all there are, by id.
    pub(super) fn keep_those_unreported(&self, nodes: &[(NodeId, NodeWithBeat)]) {
        self.promises().retain(|node, promise| {
            let Ok(at) = nodes.binary_search_by(|(id, _)| id.cmp(node)) else {
                return false;
            };
            nodes[at].1.1.map(|beat| beat.at) <= promise.since_beat
        });
    }

    /// What is promised to each node.
    pub(super) fn all(&self) -> HashMap<NodeId, ByteSize> {
        self.promises()
            .iter()
            .map(|(node, promise)| (node.clone(), promise.bytes))
            .collect()
    }

    fn promises(&self) -> MutexGuard<'_, HashMap<NodeId, Promise>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use zephyrfs_core::engine::NodeWithBeat;
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};

    use super::Promises;

    fn node(id: &str, beat_at: Option<u64>) -> (NodeId, NodeWithBeat) {
        let row = NodeRow {
            addresses: Vec::new(),
            capacity: ByteSize::ZERO,
            capabilities: BTreeMap::new(),
            registered_at: Timestamp::EPOCH,
            wanted: Wanted::InService,
            observed: Observed::Active,
        };
        let beat = beat_at.map(|at| BeatRow {
            at: Timestamp::from_millis(at),
            stats: NodeStats::default(),
        });
        (NodeId::from(id), (Arc::new(row), beat))
    }

    #[test]
    fn a_promise_counts_until_the_node_is_heard_from_again() {
        let promises = Promises::default();
        let (a, b) = (NodeId::from("a"), NodeId::from("b"));
        let at = |millis| Some(Timestamp::from_millis(millis));
        promises.add(&a, ByteSize::new(10), at(5));
        promises.add(&a, ByteSize::new(20), at(5));
        promises.add(&b, ByteSize::new(1), None);

        promises.keep_those_unreported(&[node("a", Some(5)), node("b", None)]);
        assert_eq!(promises.all().get(&a), Some(&ByteSize::new(30)));
        assert_eq!(promises.all().get(&b), Some(&ByteSize::new(1)));

        promises.keep_those_unreported(&[node("a", Some(6)), node("b", None)]);
        assert_eq!(promises.all().get(&a), None);
        promises.keep_those_unreported(&[node("b", Some(1))]);
        assert!(promises.all().is_empty());
    }

    #[test]
    fn nodes_that_are_gone_are_forgotten() {
        let promises = Promises::default();
        promises.add(&NodeId::from("gone"), ByteSize::new(10), None);
        promises.keep_those_unreported(&[]);
        assert!(promises.all().is_empty());
    }
}
