//! Draining nodes have nothing left.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{AfterDrain, Drain, NodeRow, Observed, Wanted};
use crate::view::{ReadSet, View};

/// Notes that draining nodes are empty, and unregisters those that were to be.
///
/// Whether a node is empty is seen here, at the one place in the order of commands where it counts: from then on it takes
/// no copy any more, so that it can be switched off at any later time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishDrains {
    /// The nodes that the proposer believes to be empty.
    pub nodes: Vec<NodeId>,
}

/// What the tombstone of a node says that was unregistered after its drain.
const REASON: &str = "decommissioned";

impl FinishDrains {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.nodes.clone(),
            usage: self.nodes.clone(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut mutations = Vec::new();
        let (mut drained, mut removed) = (Vec::new(), Vec::new());
        for id in self.nodes.iter().collect::<BTreeSet<_>>() {
            let is_empty = view.usage.get(id).is_some_and(|usage| usage.is_empty());
            let Some(node) = view.nodes.get(id).filter(|_| is_empty) else {
                continue;
            };
            let Some(drain) = node.drain() else { continue };
            let changed = match drain.then {
                AfterDrain::Stay if drain.done_at.is_some() => continue,
                AfterDrain::Stay => {
                    drained.push(id.clone());
                    NodeRow {
                        wanted: Wanted::Draining(Drain {
                            done_at: Some(context.now),
                            ..*drain
                        }),
                        ..NodeRow::clone(node)
                    }
                }
                AfterDrain::Remove => {
                    removed.push(id.clone());
                    NodeRow {
                        wanted: Wanted::Removed {
                            at: context.now,
                            reason: REASON.to_owned(),
                            drain: Some(Drain {
                                done_at: Some(context.now),
                                ..*drain
                            }),
                        },
                        observed: Observed::Inactive {
                            since: context.now,
                            written_off: false,
                        },
                        ..NodeRow::clone(node)
                    }
                }
            };
            mutations.push(Mutation::PutNode(id.clone(), changed));
        }
        Effects {
            mutations,
            response: Response::DrainsFinished { drained, removed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FinishDrains;
    use crate::command::LocationChange::{Add, Remove};
    use crate::command::{Command, NodeStateChange};
    use crate::id::NodeId;
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::row::{AfterDrain, ReplicaState};
    use crate::testing::{NewFile, World, beats, delete, locations, set_state};
    use crate::units::Millis;

    /// The nodes that are drained, and those that are removed, of `n1` to `n3`.
    fn finish(world: &mut World) -> (Vec<NodeId>, Vec<NodeId>) {
        let nodes = ["n1", "n2", "n3", "n1", "never"].map(NodeId::from).to_vec();
        match world
            .apply(Command::FinishDrains(FinishDrains { nodes }))
            .unwrap()
        {
            Response::DrainsFinished { drained, removed } => (drained, removed),
            other => panic!("{other:?}"),
        }
    }

    fn drain(then: AfterDrain) -> NodeStateChange {
        NodeStateChange::Drain { then }
    }

    #[test]
    fn only_an_empty_node_is_done_and_only_once() {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1", "n2"])).unwrap();
        world.apply(set_state("n1", drain(AfterDrain::Stay))).unwrap();
        assert_eq!(finish(&mut world), (vec![], vec![]));
        world.apply(locations("a", Remove, ["n1"])).unwrap();
        assert_eq!(finish(&mut world), (vec!["n1".into()], vec![]));
        assert_eq!(finish(&mut world), (vec![], vec![]));
        let refused = world.apply(locations("a", Add, ["n1"]));
        assert_eq!(refused, Err(Rejection::NodeDrained { node: "n1".into() }));
        world.apply(set_state("n1", NodeStateChange::Activate)).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
    }

    #[test]
    fn a_node_that_is_to_go_is_unregistered_and_must_register_anew() {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world.apply(set_state("n1", drain(AfterDrain::Remove))).unwrap();
        world.apply(set_state("n3", drain(AfterDrain::Remove))).unwrap();
        assert_eq!(finish(&mut world), (vec![], vec!["n3".into()]));
        assert!(world.node("n3").is_removed());
        let beat = beats([("n3", Millis::new(0), crate::row::NodeStats::default())]);
        let refused = vec!["n3".into()];
        assert_eq!(world.apply(beat), Ok(Response::HeartbeatsRecorded { refused }));
        world.apply(crate::testing::register("n3")).unwrap();
        assert!(
            world.node("n3").is_drained(),
            "whoever was to switch it off may still do so"
        );
        assert!(!world.node("n3").takes_replicas());
        world.apply(set_state("n3", NodeStateChange::Activate)).unwrap();
        assert!(world.node("n3").takes_replicas());
    }

    #[test]
    fn what_no_file_holds_does_not_hold_up_a_drain() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world.apply(set_state("n1", drain(AfterDrain::Stay))).unwrap();
        world.apply(delete("f")).unwrap();
        assert_eq!(finish(&mut world), (vec!["n1".into()], vec![]));
    }

    #[test]
    fn a_chunk_that_is_taken_up_again_does_not_count_on_drained_nodes() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world.apply(set_state("n1", drain(AfterDrain::Stay))).unwrap();
        world.apply(delete("f")).unwrap();
        finish(&mut world);
        world.apply(NewFile::new("g", ["a"]).on(["n2"])).unwrap();
        let chunk = world.chunk("a").unwrap();
        let state = |node: &str| chunk.replica_on(&node.into()).unwrap().state;
        assert_eq!(
            (state("n1"), state("n2")),
            (ReplicaState::Deleting, ReplicaState::Assigned)
        );
    }
}
