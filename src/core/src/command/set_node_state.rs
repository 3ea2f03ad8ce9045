//! An operator wants something else of a node.

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{AfterDrain, Drain, NodeRow, Wanted};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Changes what is wanted of a node. Whether the node is heard from does not matter, and does not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetNodeState {
    /// The node.
    pub node: NodeId,
    /// What is wanted.
    pub change: NodeStateChange,
}

/// What an operator may want of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeStateChange {
    /// Back in service; ends a drain or maintenance.
    Activate,
    /// To give up its chunks.
    Drain {
        /// What becomes of it then.
        then: AfterDrain,
    },
    /// To be left alone for a while; this ends a drain.
    Maintain {
        /// How long, from when the command is decided.
        span: Millis,
    },
    /// To keep its chunks after all; refused if it is not draining.
    CancelDrain,
}

impl SetNodeState {
    pub(super) fn reads(&self) -> ReadSet {
        // What lies on the node is only asked where there is to be something to compare it with: counting may take long.
        let is_drain = matches!(self.change, NodeStateChange::Drain { .. });
        ReadSet {
            nodes: vec![self.node.clone()],
            usage: is_drain.then(|| self.node.clone()).into_iter().collect(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Result<Effects, Rejection> {
        let node = view
            .nodes
            .get(&self.node)
            .ok_or_else(|| Rejection::NodeNotFound {
                node: self.node.clone(),
            })?;
        if node.is_removed() {
            return Err(Rejection::NodeRemoved {
                node: self.node.clone(),
            });
        }
        let wanted = match self.change {
            NodeStateChange::Activate => Wanted::InService,
            NodeStateChange::CancelDrain if node.drain().is_some() => Wanted::InService,
            NodeStateChange::CancelDrain => {
                return Err(Rejection::NotDraining {
                    node: self.node.clone(),
                });
            }
            NodeStateChange::Drain { then } => Wanted::Draining(self.drain(then, node, view, context)),
            NodeStateChange::Maintain { span } => Wanted::Maintenance {
                until: context.now.plus(span),
            },
        };
        let changed = NodeRow {
            wanted,
            ..NodeRow::clone(node)
        };
        let response = Response::NodeStateSet {
            status: changed.status(),
        };
        let mutations = if changed == **node {
            Vec::new()
        } else {
            vec![Mutation::PutNode(self.node.clone(), changed)]
        };
        Ok(Effects { mutations, response })
    }

    /// A drain that begins now; one that is under way goes on, whatever is to follow it.
    fn drain(&self, then: AfterDrain, node: &NodeRow, view: &View, context: &Context) -> Drain {
        if let Some(drain) = node.drain() {
            return Drain { then, ..*drain };
        }
        let usage = view.usage.get(&self.node).copied().unwrap_or_default();
        Drain::beginning(context.now, usage, then)
    }
}

#[cfg(test)]
mod tests {
    use super::NodeStateChange::{self, Activate, CancelDrain, Maintain};
    use crate::command::LocationChange::Add;
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::row::{AfterDrain, NodeStatus, Wanted};
    use crate::testing::{DRAIN, NewFile, World, locations, set_state, silence, unregister};
    use crate::units::{ByteSize, Millis};

    const DECOMMISSION: NodeStateChange = NodeStateChange::Drain {
        then: AfterDrain::Remove,
    };

    #[test]
    fn each_change_answers_with_the_status_it_leads_to() {
        let mut world = World::with_nodes(["n1"]);
        let span = Millis::new(50);
        for (change, status) in [
            (Maintain { span }, NodeStatus::Maintenance),
            (DRAIN, NodeStatus::Draining),
            (Activate, NodeStatus::Active),
        ] {
            assert_eq!(
                world.apply(set_state("n1", change)),
                Ok(Response::NodeStateSet { status })
            );
            assert_eq!(world.node("n1").status(), status);
        }
    }

    #[test]
    fn maintenance_ends_a_span_after_the_decision() {
        let mut world = World::with_nodes(["n1"]);
        let span = Millis::new(50);
        world.apply(set_state("n1", Maintain { span })).unwrap();
        let until = world.now().plus(span);
        assert_eq!(world.node("n1").wanted, Wanted::Maintenance { until });
    }

    #[test]
    fn activating_a_silent_node_does_not_make_it_heard() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(silence(["n1"])).unwrap();
        let status = NodeStatus::Inactive;
        assert_eq!(
            world.apply(set_state("n1", Activate)),
            Ok(Response::NodeStateSet { status })
        );
    }

    #[test]
    fn a_drain_remembers_what_there_was_to_move_and_goes_on_when_asked_again() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a", "b"]).on(["n1"])).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world.apply(locations("b", Add, ["n1"])).unwrap();
        world.apply(set_state("n1", DRAIN)).unwrap();
        let began = *world.node("n1").drain().unwrap();
        assert_eq!((began.copies, began.bytes), (2, ByteSize::new(200)));
        world.pass(Millis::new(10));
        world.apply(set_state("n1", DECOMMISSION)).unwrap();
        let now = *world.node("n1").drain().unwrap();
        assert_eq!((now.since, now.copies), (began.since, 2));
        assert_eq!(now.then, AfterDrain::Remove);
    }

    #[test]
    fn a_drain_can_be_cancelled_and_nothing_else_can() {
        let mut world = World::with_nodes(["n1"]);
        let refused = Err(Rejection::NotDraining { node: "n1".into() });
        assert_eq!(world.apply(set_state("n1", CancelDrain)), refused);
        world.apply(set_state("n1", DECOMMISSION)).unwrap();
        world.apply(set_state("n1", CancelDrain)).unwrap();
        assert_eq!(world.node("n1").wanted, Wanted::InService);
        let span = Millis::new(50);
        world.apply(set_state("n1", Maintain { span })).unwrap();
        assert_eq!(world.apply(set_state("n1", CancelDrain)), refused);
    }

    #[test]
    fn unknown_and_unregistered_nodes_are_refused() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(unregister("n1")).unwrap();
        assert_eq!(
            world.apply(set_state("n1", DRAIN)),
            Err(Rejection::NodeRemoved { node: "n1".into() })
        );
        assert_eq!(
            world.apply(set_state("n2", DRAIN)),
            Err(Rejection::NodeNotFound { node: "n2".into() })
        );
    }
}
