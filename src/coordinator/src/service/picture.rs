//! A picture of all nodes, kept from one request to the next: placing a file must not read them all each
//! time.
//!
//! It is this replica's own and a second old at most, or up to ten among very many nodes, except where a choice made
//! from it did not hold: then the nodes are read anew from the one state that all replicas share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use zephyrfs_core::engine::{EngineError, Freshness, NodeWithBeat};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::placement::{Candidate, Topology};
use zephyrfs_core::repair::{Brake, BrakePolicy, Heard, Nodes, brake};
use zephyrfs_core::row::NodeRow;
use zephyrfs_core::units::{Millis, Timestamp};
use zephyrfs_core::{Engine, ReadSet};

use super::freshness::local;
use super::promises::{Ledger, Promises};

/// How old a picture may be. Heartbeats are not recorded more often either.
const MAX_AGE: Duration = Duration::from_secs(1);

/// A picture of more nodes than this may be older by as much as there are more, so that what pictures cost does not grow with
/// the network: each node weighs less in a choice among so many.
const NODES_A_SECOND: usize = 10_000;

/// No picture is older than this: in so long every node has said anew how full it is.
const LONGEST_AGE: Duration = Duration::from_secs(10);

/// Among more nodes than this, one that registered since the picture was taken may be overlooked until it is too old: when
/// very many register at once, nobody shall look at all of them for each.
const SMALL_NETWORK: usize = 1_000;

/// The most addresses that a new node is given to start from.
const MAX_PEERS: usize = 5;

/// All nodes as they were at some time.
pub(super) struct Picture {
    /// By id.
    nodes: Vec<(NodeId, NodeWithBeat)>,
    /// The same, as nodes to choose from.
    pub(super) candidates: Vec<Candidate>,
    /// The same, arranged for planning.
    pub(super) topology: Topology,
    /// Whether very many nodes fell silent together.
    pub(super) brake: Option<Brake>,
    /// When it was taken, by the engine's clock and by this process's own.
    now: Timestamp,
    taken: Instant,
    late_after: Millis,
    registry_version: u64,
}

/// Keeps the last picture.
#[derive(Default)]
pub(super) struct Pictures {
    /// Locked while a picture is taken of what this replica has, so that many who need one wait for the same.
    last: Mutex<Option<Arc<Picture>>>,
}

impl Picture {
    /// When a node was last heard from.
    pub(super) fn last_beat(&self, id: &NodeId) -> Option<Timestamp> {
        let (_, beat) = self.find(id)?;
        beat.map(|beat| beat.at)
    }

    /// Every node, by id.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Heard<'_>> {
        self.nodes.iter().map(|(id, (row, beat))| Heard {
            id,
            row,
            last: beat.map(|beat| beat.at),
        })
    }

    fn find(&self, id: &NodeId) -> Option<&NodeWithBeat> {
        let at = self.nodes.binary_search_by(|(node, _)| node.cmp(id)).ok()?;
        self.nodes.get(at).map(|(_, node)| node)
    }

    /// Of the nodes as this replica has them.
    async fn take(
        engine: &dyn Engine,
        promises: &Promises,
        registry_version: u64,
        policy: &BrakePolicy,
    ) -> Result<Arc<Self>, EngineError> {
        let nodes = engine.nodes(local()).await?.value;
        let is_small = nodes.len() <= SMALL_NETWORK;
        let (taken, now) = (Instant::now(), engine.now());
        let ledger = {
            let mut ledger = promises.open();
            ledger.begin_picture(&nodes);
            ledger.clone()
        };
        let policy = *policy;
        let arrange = move || {
            let mut picture = Self::of(nodes, &ledger, registry_version, (taken, now));
            picture.late_after = policy.late_after;
            picture.brake = brake(picture.nodes(), now, &policy);
            Arc::new(picture)
        };
        if is_small {
            return Ok(arrange());
        }
        // Tenths of a second of work among very many nodes: other requests are not to wait for this thread.
        tokio::task::spawn_blocking(arrange)
            .await
            .map_err(|error| EngineError::Failed {
                reason: format!("the nodes could not be arranged: {error}"),
            })
    }

    fn of(
        nodes: Vec<(NodeId, NodeWithBeat)>,
        ledger: &Ledger,
        registry_version: u64,
        (taken, now): (Instant, Timestamp),
    ) -> Self {
        let candidates: Vec<_> = nodes
            .iter()
            .map(|(id, (row, beat))| {
                let promised = ledger.unreported(id);
                Candidate::new(id.clone(), row, beat.as_ref(), promised, now)
            })
            .collect();
        Self {
            topology: Topology::new(candidates.iter().cloned()),
            candidates,
            nodes,
            brake: None,
            now,
            taken,
            late_after: Millis::new(u64::MAX),
            registry_version,
        }
    }

    fn will_do(&self, registry_version: u64, now: Instant) -> bool {
        let is_young = now.saturating_duration_since(self.taken) < max_age(self.nodes.len());
        let is_current = self.registry_version == registry_version;
        is_young && (is_current || self.nodes.len() > SMALL_NETWORK)
    }

    /// First addresses of active nodes other than `node`, from anywhere in the order of ids that `seed`
    /// points to.
    pub(super) fn peers_for(&self, node: &NodeId, seed: u64) -> Vec<String> {
        let count = self.nodes.len();
        let start = usize::try_from(seed)
            .unwrap_or_default()
            .checked_rem(count)
            .unwrap_or_default();
        self.nodes
            .iter()
            .cycle()
            .skip(start)
            .take(count)
            .filter(|(id, (row, _))| id != node && row.takes_replicas() && !row.first_address().is_empty())
            .map(|(_, (row, _))| row.first_address().to_owned())
            .take(MAX_PEERS)
            .collect()
    }
}

/// How old a picture of so many nodes may be.
fn max_age(nodes: usize) -> Duration {
    let times = u32::try_from(nodes / NODES_A_SECOND).unwrap_or(u32::MAX);
    MAX_AGE.saturating_mul(times.max(1)).min(LONGEST_AGE)
}

impl Nodes for Picture {
    fn node(&self, id: &NodeId) -> Option<&NodeRow> {
        self.find(id).map(|(row, _)| row.as_ref())
    }

    fn is_late(&self, id: &NodeId) -> bool {
        self.find(id).is_some_and(|(row, beat)| {
            let last = beat.map(|beat| beat.at);
            Heard { id, row, last }.is_late(self.now, self.late_after)
        })
    }
}

impl Pictures {
    /// The nodes, not long ago.
    pub(super) async fn recent(
        &self,
        engine: &dyn Engine,
        promises: &Promises,
        policy: &BrakePolicy,
    ) -> Result<Arc<Picture>, EngineError> {
        let mut last = self.last.lock().await;
        // Asked before the nodes are read: a node that registers meanwhile makes the next picture, at worst
        // for nothing.
        let version = engine.registry_version();
        if let Some(picture) = last
            .as_ref()
            .filter(|picture| picture.will_do(version, Instant::now()))
        {
            return Ok(Arc::clone(picture));
        }
        let picture = Picture::take(engine, promises, version, policy).await?;
        Ok(Arc::clone(last.insert(picture)))
    }

    /// The nodes as a state of this freshness has them.
    pub(super) async fn anew(
        &self,
        engine: &dyn Engine,
        promises: &Promises,
        freshness: Freshness,
        policy: &BrakePolicy,
    ) -> Result<Arc<Picture>, EngineError> {
        // Waited for before the lock is taken: without a quorum that lasts until the deadline, and those who are content with
        // what this replica has are not to wait for it, too.
        engine.view(ReadSet::default(), freshness).await?;
        let mut last = self.last.lock().await;
        let version = engine.registry_version();
        let picture = Picture::take(engine, promises, version, policy).await?;
        Ok(Arc::clone(last.insert(picture)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use zephyrfs_core::engine::NodeWithBeat;
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::{NodeRow, Observed, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};

    use super::{Ledger, Picture, SMALL_NETWORK, max_age};

    fn node(id: String, observed: Observed) -> (NodeId, NodeWithBeat) {
        let row = NodeRow {
            addresses: vec![format!("{id}:9000")],
            capacity: ByteSize::ZERO,
            capabilities: BTreeMap::new(),
            registered_at: Timestamp::EPOCH,
            wanted: Wanted::InService,
            observed,
            contact: zephyrfs_core::row::Contact::default(),
        };
        (NodeId::from(id), (Arc::new(row), None))
    }

    fn picture(nodes: Vec<(NodeId, NodeWithBeat)>, taken: Instant) -> Picture {
        Picture::of(nodes, &Ledger::default(), 1, (taken, Timestamp::EPOCH))
    }

    #[test]
    fn peers_are_other_active_nodes_and_five_at_most() {
        let silent = Observed::Inactive {
            since: Timestamp::EPOCH,
            written_off: false,
        };
        let mut nodes: Vec<_> = (0..8)
            .map(|n| node(format!("n{n}"), if n == 3 { silent } else { Observed::Active }))
            .collect();
        nodes.sort_by(|a, b| a.0.cmp(&b.0));
        let all = picture(nodes, Instant::now());
        let mut ever = BTreeSet::new();
        for seed in 0..8 {
            let peers = all.peers_for(&NodeId::from("n1"), seed);
            assert_eq!(peers.iter().collect::<BTreeSet<_>>().len(), 5, "{peers:?}");
            ever.extend(peers);
        }
        let expected = ["n0:9000", "n2:9000", "n4:9000", "n5:9000", "n6:9000", "n7:9000"];
        assert_eq!(ever.iter().map(String::as_str).collect::<Vec<_>>(), expected);

        let alone = picture(vec![node("n1".to_owned(), Observed::Active)], Instant::now());
        assert!(alone.peers_for(&NodeId::from("n1"), 7).is_empty());
        assert!(
            picture(Vec::new(), Instant::now())
                .peers_for(&NodeId::from("n1"), 7)
                .is_empty()
        );
    }

    #[test]
    fn pictures_of_very_many_nodes_are_taken_less_often() {
        for (nodes, seconds) in [(0, 1), (19_999, 1), (20_000, 2), (100_000, 10), (usize::MAX, 10)] {
            assert_eq!(max_age(nodes), Duration::from_secs(seconds), "{nodes} nodes");
        }
    }

    #[test]
    fn a_picture_is_used_while_it_is_young_and_nothing_changed() {
        let taken = Instant::now();
        let small = picture(vec![node("a".to_owned(), Observed::Active)], taken);
        let soon = taken + Duration::from_millis(999);
        assert!(small.will_do(1, soon));
        assert!(!small.will_do(2, soon), "a node registered");
        assert!(!small.will_do(1, taken + Duration::from_secs(1)));

        let nodes = (0..=SMALL_NETWORK)
            .map(|n| node(format!("{n:04}"), Observed::Active))
            .collect();
        let large = picture(nodes, taken);
        assert!(large.will_do(2, soon), "one node more hardly matters");
        assert!(!large.will_do(1, taken + Duration::from_secs(1)));
    }
}
