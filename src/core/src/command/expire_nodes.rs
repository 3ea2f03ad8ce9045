//! Nodes were silent for too long.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{BeatRow, NodeRow, Observed, Wanted};
use crate::units::Timestamp;
use crate::view::{ReadSet, View};

/// Marks nodes inactive that were not heard from since a time, and ends maintenance whose time is over.
///
/// The condition travels in the command: a proposer that was wrong, or late, does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpireNodes {
    /// The nodes that the proposer believes to be silent, or done with maintenance.
    pub nodes: Vec<NodeId>,
    /// A node last heard from before this time is silent.
    pub silent_since: Timestamp,
}

impl ExpireNodes {
    /// Whether a node should be named: it is silent since before `silent_since`, or done with maintenance.
    pub fn is_due(node: &NodeRow, beat: Option<&BeatRow>, silent_since: Timestamp, now: Timestamp) -> bool {
        if node.is_removed() {
            return false;
        }
        let silent = node.observed == Observed::Active && beat.is_none_or(|beat| beat.at < silent_since);
        let rested = matches!(node.wanted, Wanted::Maintenance { until } if until <= now);
        silent || rested
    }

    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.nodes.clone(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut mutations = Vec::new();
        let mut inactive = Vec::new();
        let mut back_in_service = Vec::new();
        for id in self.nodes.iter().collect::<BTreeSet<_>>() {
            let Some(node) = view.nodes.get(id).filter(|node| !node.is_removed()) else {
                continue;
            };
            let mut changed = NodeRow::clone(node);
            let silent = view.beats.get(id).is_none_or(|beat| beat.at < self.silent_since);
            if silent && node.observed == Observed::Active {
                // A return that did not last is no return: what waits for the node goes on waiting.
                let since = node.contact.silent_since(context.now);
                changed.observed = Observed::Inactive {
                    since,
                    written_off: false,
                };
                inactive.push(id.clone());
            }
            if matches!(node.wanted, Wanted::Maintenance { until } if until <= context.now) {
                changed.wanted = Wanted::InService;
                back_in_service.push(id.clone());
            }
            if changed != **node {
                mutations.push(Mutation::PutNode(id.clone(), changed));
            }
        }
        Effects {
            mutations,
            response: Response::NodesExpired {
                inactive,
                back_in_service,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExpireNodes;
    use crate::command::{Command, NodeStateChange};
    use crate::id::NodeId;
    use crate::response::Response;
    use crate::row::{NodeStatus, Observed, Wanted};
    use crate::testing::{World, register, set_state, unregister};
    use crate::units::{Millis, Timestamp};

    #[test]
    fn a_node_is_due_when_naming_it_would_change_it() {
        let mut world = World::with_nodes(["active", "silent", "resting", "gone"]);
        let rest = NodeStateChange::Maintain {
            span: Millis::new(50),
        };
        world.apply(set_state("resting", rest)).unwrap();
        world.apply(unregister("gone")).unwrap();
        let now = |millis| Timestamp::from_millis(world.node("active").registered_at.as_millis() + millis);
        let due = |id, silent_since, now| {
            let beat = world.beat(id);
            ExpireNodes::is_due(&world.node(id), Some(&beat), silent_since, now)
        };
        for id in ["active", "silent"] {
            assert!(!due(id, Timestamp::EPOCH, now(1_000)), "{id}");
            assert!(due(id, Timestamp::from_millis(u64::MAX), now(0)), "{id}");
            assert!(
                ExpireNodes::is_due(&world.node(id), None, Timestamp::EPOCH, now(0)),
                "one that never beat is silent"
            );
        }
        assert!(!due("resting", Timestamp::EPOCH, now(0)));
        assert!(due("resting", Timestamp::EPOCH, now(1_000)));
        assert!(!due("gone", Timestamp::from_millis(u64::MAX), now(1_000)));
    }

    /// Expires nodes; the answer as the nodes now inactive and those back in service.
    fn expire<const N: usize>(
        world: &mut World,
        nodes: [&str; N],
        silent_since: Timestamp,
    ) -> (Vec<NodeId>, Vec<NodeId>) {
        let command = Command::ExpireNodes(ExpireNodes {
            nodes: nodes.map(NodeId::from).to_vec(),
            silent_since,
        });
        match world.apply(command).unwrap() {
            Response::NodesExpired {
                inactive,
                back_in_service,
            } => (inactive, back_in_service),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_nodes_that_are_really_silent_become_inactive_and_only_once() {
        let mut world = World::with_nodes(["n1", "n2", "gone"]);
        world.apply(unregister("gone")).unwrap();
        world.pass(Millis::new(100));
        world.apply(register("n2")).unwrap();
        let since = world.now();
        let named = ["n1", "n1", "n2", "gone", "never"];
        assert_eq!(expire(&mut world, named, since), (vec!["n1".into()], vec![]));
        assert_eq!(
            world.node("n1").observed,
            Observed::Inactive {
                since,
                written_off: false
            }
        );
        assert_eq!(
            world.node("n2").status(),
            NodeStatus::Active,
            "it was heard from at that very time"
        );
        assert_eq!(expire(&mut world, named, since), (vec![], vec![]));
    }

    #[test]
    fn maintenance_ends_at_its_time_and_not_before() {
        let mut world = World::with_nodes(["n1"]);
        let span = Millis::new(50);
        world
            .apply(set_state("n1", NodeStateChange::Maintain { span }))
            .unwrap();
        world.pass(Millis::new(49));
        assert_eq!(expire(&mut world, ["n1"], Timestamp::EPOCH), (vec![], vec![]));
        world.pass(Millis::new(1));
        assert_eq!(
            expire(&mut world, ["n1"], Timestamp::EPOCH),
            (vec![], vec!["n1".into()])
        );
        assert_eq!(world.node("n1").wanted, Wanted::InService);
    }

    #[test]
    fn a_node_that_stays_silent_beyond_its_maintenance_is_inactive() {
        let mut world = World::with_nodes(["n1"]);
        let span = Millis::new(50);
        world
            .apply(set_state("n1", NodeStateChange::Maintain { span }))
            .unwrap();
        world.pass(span);
        let since = world.now();
        assert_eq!(
            expire(&mut world, ["n1"], since),
            (vec!["n1".into()], vec!["n1".into()])
        );
        assert_eq!(world.node("n1").status(), NodeStatus::Inactive);
    }
}
