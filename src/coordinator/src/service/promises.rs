//! Space that chunks will take on nodes that have not reported it yet.
//!
//! Without this, everything registered between two heartbeats would be planned as if the nodes were still
//! empty. A promise counts until the node is heard from again; as many nodes are remembered as there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zephyrfs_core::engine::NodeWithBeat;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::{ByteSize, Timestamp};

/// What was promised to nodes.
#[derive(Debug, Default)]
pub(super) struct Promises(Mutex<Ledger>);

/// The promises, while somebody looks at them and adds to them.
#[derive(Debug, Default, Clone)]
pub(super) struct Ledger {
    unreported: HashMap<NodeId, Promise>,
    /// The part of these that the picture of the nodes does not know of.
    since_picture: BTreeMap<NodeId, ByteSize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Promise {
    bytes: ByteSize,
    /// The node's last heartbeat when the first of these bytes was promised.
    since_beat: Option<Timestamp>,
}

impl Promises {
    /// Opens the ledger. Nobody else plans until it is closed, so that no space is promised twice.
    pub(super) fn open(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// What was promised since the picture was taken, as planning wants it.
    pub(super) const fn since_picture(&self) -> &BTreeMap<NodeId, ByteSize> {
        &self.since_picture
    }

    /// Promises bytes to a node, whose last known heartbeat was at `last_beat`.
    pub(super) fn add(&mut self, node: &NodeId, bytes: ByteSize, last_beat: Option<Timestamp>) {
        let promise = self.unreported.entry(node.clone()).or_insert(Promise {
            bytes: ByteSize::ZERO,
            since_beat: last_beat,
        });
        promise.bytes = promise.bytes.plus(bytes);
        let since_picture = self.since_picture.entry(node.clone()).or_default();
        *since_picture = since_picture.plus(bytes);
    }

    /// Takes a promise back: nothing came of it.
    pub(super) fn take_back(&mut self, node: &NodeId, bytes: ByteSize) {
        if let Some(promise) = self.unreported.get_mut(node) {
            promise.bytes = promise.bytes.minus(bytes);
        }
        if let Some(since_picture) = self.since_picture.get_mut(node) {
            *since_picture = since_picture.minus(bytes);
        }
    }

    /// A new picture was taken, of these nodes by id: forgets what they have had the chance to report since,
    /// and nodes that are gone. What is left is given to [`Self::unreported`], and counts as part of the
    /// picture.
    pub(super) fn begin_picture(&mut self, nodes: &[(NodeId, NodeWithBeat)]) {
        self.since_picture.clear();
        self.unreported.retain(|node, promise| {
            let Ok(at) = nodes.binary_search_by(|(id, _)| id.cmp(node)) else {
                return false;
            };
            nodes[at].1.1.map(|beat| beat.at) <= promise.since_beat
        });
    }

    /// What a node was promised and has not reported.
    pub(super) fn unreported(&self, node: &NodeId) -> ByteSize {
        self.unreported
            .get(node)
            .map_or(ByteSize::ZERO, |promise| promise.bytes)
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
            contact: zephyrfs_core::row::Contact::default(),
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
        let mut ledger = promises.open();
        let (a, b) = (NodeId::from("a"), NodeId::from("b"));
        let at = |millis| Some(Timestamp::from_millis(millis));
        ledger.add(&a, ByteSize::new(10), at(5));
        ledger.add(&a, ByteSize::new(20), at(5));
        ledger.add(&b, ByteSize::new(1), None);

        ledger.begin_picture(&[node("a", Some(5)), node("b", None)]);
        assert_eq!(ledger.unreported(&a), ByteSize::new(30));
        assert_eq!(ledger.unreported(&b), ByteSize::new(1));

        ledger.begin_picture(&[node("a", Some(6)), node("b", None)]);
        assert_eq!(ledger.unreported(&a), ByteSize::ZERO);
        ledger.begin_picture(&[node("b", Some(1))]);
        assert_eq!(ledger.unreported(&b), ByteSize::ZERO);
    }

    #[test]
    fn a_new_picture_knows_of_all_promises_before_it() {
        let promises = Promises::default();
        let mut ledger = promises.open();
        let a = NodeId::from("a");
        ledger.add(&a, ByteSize::new(10), None);
        ledger.begin_picture(&[node("a", None)]);
        assert!(ledger.since_picture().is_empty());
        ledger.add(&a, ByteSize::new(5), None);
        assert_eq!(ledger.since_picture()[&a], ByteSize::new(5));
        assert_eq!(ledger.unreported(&a), ByteSize::new(15));
        ledger.take_back(&a, ByteSize::new(5));
        assert_eq!(ledger.since_picture()[&a], ByteSize::ZERO);
        assert_eq!(ledger.unreported(&a), ByteSize::new(10));
    }

    #[test]
    fn nodes_that_are_gone_are_forgotten() {
        let promises = Promises::default();
        let mut ledger = promises.open();
        ledger.add(&NodeId::from("gone"), ByteSize::new(10), None);
        ledger.begin_picture(&[]);
        assert!(ledger.unreported.is_empty() && ledger.since_picture().is_empty());
    }
}
