//! Nodes were heard from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{BeatRow, NodeStats};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Records the newest heartbeat of many nodes at once: one command for each flush interval, not one for each beat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordHeartbeats {
    /// The beats. Of two for one node, the younger counts.
    pub beats: Vec<Heartbeat>,
    /// How long a node may be silent before it counts as inactive.
    pub inactive_after: Millis,
}

/// One heartbeat as a replica received it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The node.
    pub node: NodeId,
    /// How long ago the replica received it when it proposed the command. An age rather than a time, because only the
    /// leader's clock counts.
    pub age: Millis,
    /// What the node said.
    pub stats: NodeStats,
}

impl RecordHeartbeats {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.beats.iter().map(|beat| beat.node.clone()).collect(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut youngest: BTreeMap<&NodeId, &Heartbeat> = BTreeMap::new();
        for beat in &self.beats {
            let kept = youngest.entry(&beat.node).or_insert(beat);
            if beat.age <= kept.age {
                *kept = beat;
            }
        }
        let mut mutations = Vec::with_capacity(youngest.len());
        let mut refused = Vec::new();
        for (id, beat) in youngest {
            let Some(node) = view.nodes.get(id).filter(|node| !node.is_removed()) else {
                refused.push(id.clone());
                continue;
            };
            let row = BeatRow {
                at: context.now.minus(beat.age),
                stats: beat.stats,
            };
            // A beat that another replica received later may have been recorded already.
            if view.beats.get(id).is_some_and(|last| last.at > row.at) {
                continue;
            }
            mutations.push(Mutation::PutBeat(id.clone(), row));
            if let Some(active) = node.heard_again(context.now, self.inactive_after) {
                mutations.push(Mutation::PutNode(id.clone(), active));
            }
        }
        Effects {
            mutations,
            response: Response::HeartbeatsRecorded { refused },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NodeStats;
    use crate::response::Response;
    use crate::row::NodeStatus;
    use crate::testing::{World, beats, set_state, silence, unregister};
    use crate::units::Millis;

    fn stats(chunks_stored: u64) -> NodeStats {
        NodeStats {
            chunks_stored,
            ..NodeStats::default()
        }
    }

    #[test]
    fn a_beat_counts_from_when_it_was_received() {
        let mut world = World::with_nodes(["n1"]);
        world.pass(Millis::new(100));
        world.apply(beats([("n1", Millis::new(30), stats(1))])).unwrap();
        assert_eq!(world.beat("n1").at, world.now().minus(Millis::new(30)));
        assert_eq!(world.beat("n1").stats, stats(1));
    }

    #[test]
    fn the_youngest_beat_counts_in_whatever_order_they_come() {
        let mut world = World::with_nodes(["n1"]);
        world.pass(Millis::new(100));
        let (old, young) = (
            ("n1", Millis::new(30), stats(1)),
            ("n1", Millis::new(20), stats(2)),
        );
        world.apply(beats([old, young])).unwrap();
        assert_eq!(world.beat("n1").stats, stats(2));
        world.apply(beats([old])).unwrap();
        assert_eq!(
            world.beat("n1").stats,
            stats(2),
            "another replica's older beat comes late"
        );
        world.pass(Millis::new(100));
        world.apply(beats([young, old])).unwrap();
        assert_eq!(world.beat("n1").stats, stats(2));
    }

    #[test]
    fn a_silent_node_is_back_and_what_is_wanted_of_it_stays() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(set_state("n1", crate::testing::DRAIN)).unwrap();
        world.apply(silence(["n1"])).unwrap();
        assert_eq!(world.node("n1").status(), NodeStatus::Inactive);
        world.pass(Millis::new(1));
        world.apply(beats([("n1", Millis::new(0), stats(1))])).unwrap();
        assert_eq!(world.node("n1").status(), NodeStatus::Draining);
    }

    #[test]
    fn unknown_and_unregistered_nodes_are_told_to_register_and_the_others_are_recorded() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(unregister("n1")).unwrap();
        let now = Millis::new(0);
        let response = world.apply(beats([
            ("n1", now, stats(1)),
            ("n2", now, stats(2)),
            ("n3", now, stats(3)),
        ]));
        let refused = vec!["n1".into(), "n3".into()];
        assert_eq!(response, Ok(Response::HeartbeatsRecorded { refused }));
        assert_eq!(world.beat("n2").stats, stats(2));
        assert_eq!(world.node("n1").status(), NodeStatus::Inactive);
    }
}
