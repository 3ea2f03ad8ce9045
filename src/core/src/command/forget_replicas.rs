//! Copies that are not to be expected any more are forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::copies::{count_sure, is_gone};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId};
use crate::response::Response;
use crate::row::{ChunkRow, ReplicaState};
use crate::units::Timestamp;
use crate::view::{ReadSet, View};

/// Forgets copies on unregistered nodes and on draining ones that fell silent, and copies that were never brought and nobody is told to fetch, once the chunk has
/// enough others.
///
/// Until then they keep their place: the node may register again with its disk intact, the client may still come. Enough
/// are as many as wanted, each known to be stored on a node that was heard from.
///
/// A command that comes late does nothing: a new leader takes every node for heard from at first, also those that fell
/// silent since the command was proposed to the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetReplicas {
    /// The copies, by chunk and node.
    pub replicas: Vec<(ChunkId, NodeId)>,
    /// The replicas wanted for each chunk.
    pub wanted: u32,
    /// From then on nothing is done.
    pub not_after: Timestamp,
}

impl ForgetReplicas {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            chunks: self.replicas.iter().map(|(chunk, _)| chunk.clone()).collect(),
            tasks: self
                .replicas
                .iter()
                .map(|(chunk, node)| (node.clone(), chunk.clone()))
                .collect(),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut changed: BTreeMap<&ChunkId, ChunkRow> = BTreeMap::new();
        let mut mutations = Vec::new();
        let in_time = |_: &&(ChunkId, NodeId)| context.now < self.not_after;
        for (chunk, node) in self.replicas.iter().filter(in_time).collect::<BTreeSet<_>>() {
            let Some(known) = view.referenced_chunk(chunk) else {
                continue;
            };
            let has_task = || view.tasks.contains_key(&(node.clone(), chunk.clone()));
            let is_forgettable = match known.replica_on(node).map(|replica| replica.state) {
                Some(ReplicaState::Stored) => is_gone(node, view) || is_lost_to_drain(node, view),
                Some(ReplicaState::Assigned) => is_gone(node, view) || !has_task(),
                Some(ReplicaState::Deleting) | None => false,
            };
            let stored = count_sure(known, view);
            if is_forgettable && stored >= (self.wanted as usize).max(1) {
                let row = changed.entry(chunk).or_insert_with(|| known.clone());
                row.replicas.retain(|replica| replica.node != *node);
                mutations.push(Mutation::DeleteTask(node.clone(), chunk.clone()));
            }
        }
        let forgotten = mutations.len() as u64;
        mutations.extend(
            changed
                .into_iter()
                .map(|(id, row)| Mutation::PutChunk(id.clone(), row)),
        );
        Effects {
            mutations,
            response: Response::ReplicasForgotten { forgotten },
        }
    }
}

/// Whether a node was to give up its chunks and cannot be told to: nobody waits for it.
fn is_lost_to_drain(node: &NodeId, view: &View) -> bool {
    view.nodes
        .get(node)
        .is_some_and(|node| node.drain().is_some() && !node.serves_reads())
}

#[cfg(test)]
mod tests {
    use super::ForgetReplicas;
    use crate::command::Command;
    use crate::command::LocationChange::Add;
    use crate::response::Response;
    use crate::testing::{DRAIN, NewFile, World, locations, set_state, silence, unregister};
    use crate::units::{Millis, Timestamp};

    fn forget(world: &mut World, node: &str) -> u64 {
        let not_after = world.now().plus(Millis::new(1));
        forget_until(world, not_after, node)
    }

    fn forget_until(world: &mut World, not_after: Timestamp, node: &str) -> u64 {
        let command = Command::ForgetReplicas(ForgetReplicas {
            replicas: vec![("a".into(), node.into()), ("never".into(), node.into())],
            wanted: 2,
            not_after,
        });
        match world.apply(command).unwrap() {
            Response::ReplicasForgotten { forgotten } => forgotten,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lost_copy_is_forgotten_once_enough_others_are_surely_there() {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world
            .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        world.apply(locations("a", Add, ["n1", "n3"])).unwrap();
        assert_eq!(forget(&mut world, "n1"), 0, "it is registered");
        world.apply(unregister("n1")).unwrap();
        assert_eq!(forget(&mut world, "n1"), 0, "one more is stored, not two");
        world.apply(locations("a", Add, ["n2"])).unwrap();
        let now = world.now();
        assert_eq!(forget_until(&mut world, now, "n1"), 0, "the command comes late");
        world.apply(silence(["n3"])).unwrap();
        assert_eq!(forget(&mut world, "n1"), 0, "one of the two is silent");
        world.apply(crate::testing::register("n3")).unwrap();
        assert_eq!(forget(&mut world, "n1"), 1);
        assert_eq!(world.replicas("a"), ["n2", "n3"]);
    }

    #[test]
    fn a_copy_that_no_client_brought_is_forgotten_unless_its_node_is_told_to_fetch_it() {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world
            .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world.apply(crate::testing::assign("a", "n3")).unwrap();
        assert_eq!(forget(&mut world, "n3"), 0, "one is stored, not two");
        world.apply(locations("a", Add, ["n2"])).unwrap();
        assert_eq!(forget(&mut world, "n3"), 0, "it is on its way");
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world
            .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        world.apply(locations("a", Add, ["n1", "n2"])).unwrap();
        assert_eq!(forget(&mut world, "n3"), 1);
        assert_eq!(world.replicas("a"), ["n1", "n2"]);
    }

    #[test]
    fn a_node_that_fell_silent_while_it_drained_is_not_waited_for() {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world
            .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        world.apply(locations("a", Add, ["n1", "n2", "n3"])).unwrap();
        world.apply(set_state("n1", DRAIN)).unwrap();
        assert_eq!(forget(&mut world, "n1"), 0, "it can be told");
        world.apply(silence(["n1"])).unwrap();
        assert_eq!(forget(&mut world, "n1"), 1);
        assert_eq!(world.replicas("a"), ["n2", "n3"]);
    }
}
