//! A node comes, or comes back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{AfterDrain, BeatRow, Contact, Drain, NodeRow, NodeStats, Observed, Wanted};
use crate::units::{ByteSize, Millis};
use crate::view::{ReadSet, View};

/// Registers a node. An id that is known keeps its history, and a drain or maintenance that an operator asked for: a
/// node that restarts in the middle of a drain must not cancel it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterNode {
    /// The node's id; the proposer mints one for a node that has none.
    pub node: NodeId,
    /// Where it is reached.
    pub addresses: Vec<String>,
    /// What it offers.
    pub capacity: ByteSize,
    /// What it says about itself.
    pub capabilities: BTreeMap<String, String>,
    /// First addresses of other active nodes, chosen by the proposer; they are part of the answer.
    pub peers: Vec<String>,
    /// How long a node may be silent before it counts as inactive.
    pub inactive_after: Millis,
}

impl RegisterNode {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: vec![self.node.clone()],
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let known = view.nodes.get(&self.node);
        // What a tombstone was does not matter any more.
        let alive = known.filter(|node| !node.is_removed());
        let contact = alive.map_or_else(
            || Contact::beginning(context.now),
            |node| {
                let heard = node.heard_again(context.now, self.inactive_after);
                heard.map_or(node.contact, |heard| heard.contact)
            },
        );
        let node = NodeRow {
            addresses: self.addresses.clone(),
            capacity: self.capacity,
            capabilities: self.capabilities.clone(),
            registered_at: known.map_or(context.now, |node| node.registered_at),
            wanted: known.map_or(Wanted::InService, |node| wanted_of(&node.wanted)),
            observed: Observed::Active,
            contact,
        };
        let beat = BeatRow {
            at: context.now,
            stats: view
                .beats
                .get(&self.node)
                .map_or_else(NodeStats::default, |beat| beat.stats),
        };
        Effects {
            mutations: vec![
                Mutation::PutNode(self.node.clone(), node),
                Mutation::PutBeat(self.node.clone(), beat),
            ],
            response: Response::NodeRegistered {
                node: self.node.clone(),
                peers: self.peers.clone(),
                known: known.is_some(),
            },
        }
    }
}

/// What is wanted of a node that registers again. One that was unregistered while it drained goes on draining. One that was
/// decommissioned may only not have been switched off yet: an operator was told that it can be, so it gets nothing until it
/// is activated.
fn wanted_of(before: &Wanted) -> Wanted {
    match before {
        Wanted::Removed {
            drain: Some(drain), ..
        } => {
            let then = match drain.done_at {
                Some(_) => AfterDrain::Stay,
                None => drain.then,
            };
            Wanted::Draining(Drain { then, ..*drain })
        }
        Wanted::Removed { drain: None, .. } => Wanted::InService,
        Wanted::InService | Wanted::Maintenance { .. } | Wanted::Draining(_) => before.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::RegisterNode;
    use crate::command::LocationChange::Add;
    use crate::command::{Command, NodeStateChange};
    use crate::response::Response;
    use crate::row::{AfterDrain, NodeStats, NodeStatus};
    use crate::testing::{NewFile, World, beats, locations, register, set_state, silence, unregister};
    use crate::units::{ByteSize, Millis};

    fn was_known(response: Response) -> bool {
        match response {
            Response::NodeRegistered { known, .. } => known,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_node_is_active_and_heard_from() {
        let mut world = World::with_nodes([]);
        assert!(!was_known(world.apply(register("n1")).unwrap()));
        assert_eq!(world.node("n1").status(), NodeStatus::Active);
        assert_eq!(world.beat("n1").at, world.now());
        assert_eq!(world.model().totals().nodes_with(NodeStatus::Active), 1);
    }

    #[test]
    fn a_known_node_brings_new_facts_and_keeps_its_past() {
        let mut world = World::with_nodes(["n1"]);
        let registered_at = world.now();
        let stats = NodeStats {
            chunks_stored: 7,
            ..NodeStats::default()
        };
        world.apply(beats([("n1", Millis::new(0), stats)])).unwrap();
        world.apply(silence(["n1"])).unwrap();
        world.pass(Millis::new(9));
        let again = Command::RegisterNode(RegisterNode {
            inactive_after: crate::testing::INACTIVE_AFTER,
            node: "n1".into(),
            addresses: vec!["elsewhere:1".to_owned()],
            capacity: ByteSize::new(5),
            capabilities: [("zone".to_owned(), "z".to_owned())].into(),
            peers: vec!["peer:1".to_owned()],
        });
        assert!(was_known(world.apply(again).unwrap()));
        let node = world.node("n1");
        assert_eq!(node.first_address(), "elsewhere:1");
        assert_eq!(
            (node.capacity, node.registered_at),
            (ByteSize::new(5), registered_at)
        );
        assert_eq!(node.status(), NodeStatus::Active);
        assert_eq!(
            (world.beat("n1").at, world.beat("n1").stats),
            (world.now(), stats)
        );
    }

    #[test]
    fn a_restart_does_not_cancel_a_drain() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(set_state("n1", crate::testing::DRAIN)).unwrap();
        world.apply(register("n1")).unwrap();
        assert!(world.node("n1").drain().is_some());
    }

    #[test]
    fn nor_does_being_unregistered_meanwhile() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1", "n2"])).unwrap();
        let decommission = NodeStateChange::Drain {
            then: AfterDrain::Remove,
        };
        world.apply(set_state("n1", decommission)).unwrap();
        let before = *world.node("n1").drain().unwrap();
        world.apply(unregister("n1")).unwrap();
        assert!(!world.node("n1").is_decommissioned(), "a copy is left on it");
        world.apply(register("n1")).unwrap();
        assert_eq!(world.node("n1").drain(), Some(&before));
    }

    #[test]
    fn an_unregistered_node_is_back_in_service_by_registering() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(unregister("n1")).unwrap();
        assert!(was_known(world.apply(register("n1")).unwrap()));
        assert_eq!(world.node("n1").status(), NodeStatus::Active);
    }
}
