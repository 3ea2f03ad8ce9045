//! A node goes for good.

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{NodeRow, Observed, Wanted};
use crate::view::{ReadSet, View};

/// Unregisters a node: its row stays as a tombstone and its copies count for nothing. Unregistering twice is the same as
/// once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnregisterNode {
    /// The node.
    pub node: NodeId,
    /// Why, in the words of whoever asked.
    pub reason: String,
}

impl UnregisterNode {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: vec![self.node.clone()],
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
            return Ok(Effects::answer(Response::NodeUnregistered));
        }
        let tombstone = NodeRow {
            wanted: Wanted::Removed {
                at: context.now,
                reason: self.reason.clone(),
                drain: node.drain().copied(),
            },
            observed: Observed::Inactive {
                since: context.now,
                written_off: false,
            },
            ..NodeRow::clone(node)
        };
        Ok(Effects {
            mutations: vec![Mutation::PutNode(self.node.clone(), tombstone)],
            response: Response::NodeUnregistered,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::row::{NodeStatus, Wanted};
    use crate::testing::{NewFile, World, unregister};
    use crate::units::Millis;

    #[test]
    fn a_tombstone_remains_and_copies_keep_their_rows() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(unregister("n1")).unwrap();
        let node = world.node("n1");
        assert_eq!(node.status(), NodeStatus::Inactive);
        assert!(!node.serves_reads());
        assert_eq!(
            node.wanted,
            Wanted::Removed {
                at: world.now(),
                reason: "sold".to_owned(),
                drain: None
            }
        );
        assert_eq!(world.replicas("a"), ["n1", "n2"]);
    }

    #[test]
    fn twice_is_the_same_as_once() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(unregister("n1")).unwrap();
        let first = world.node("n1");
        world.pass(Millis::new(3));
        assert_eq!(world.apply(unregister("n1")), Ok(Response::NodeUnregistered));
        assert_eq!(world.node("n1"), first);
    }

    #[test]
    fn an_unknown_node_is_named() {
        let refused = World::with_nodes([]).apply(unregister("n1"));
        assert_eq!(refused, Err(Rejection::NodeNotFound { node: "n1".into() }));
    }
}
