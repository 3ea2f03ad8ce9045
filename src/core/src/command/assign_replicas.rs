//! Chunks get further copies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::copies::{COPIES, NewTask, count_kept, is_there};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId, RequestId};
use crate::response::Response;
use crate::row::{ChunkRow, Replica, ReplicaState, TaskReason};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Tells nodes to fetch chunks of which there are too few copies.
///
/// Which nodes is policy, and when it is time; here each copy is checked on its own, and one that is not needed any more,
/// has nothing to be copied from, or goes to a node that is not there, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignReplicas {
    /// The copies to make.
    pub copies: Vec<CopyPlan>,
    /// The replicas wanted for each chunk.
    pub wanted: u32,
    /// How long the nodes have.
    pub time: Millis,
}

/// A copy to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyPlan {
    /// Of this chunk.
    pub chunk: ChunkId,
    /// On this node.
    pub target: NodeId,
    /// Why.
    pub reason: TaskReason,
    /// The node to ask for it first.
    pub source: Option<NodeId>,
    /// The node whose copy this one is to replace, if it is made for a better place: that copy does not count as one of
    /// those wanted. It is dropped later, once the new one is stored.
    pub instead_of: Option<NodeId>,
}

impl AssignReplicas {
    pub(super) fn reads(&self) -> ReadSet {
        let each = || self.copies.iter();
        ReadSet {
            nodes: each().map(|copy| copy.target.clone()).collect(),
            chunks: each().map(|copy| copy.chunk.clone()).collect(),
            tasks: each()
                .map(|copy| (copy.target.clone(), copy.chunk.clone()))
                .collect(),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Effects {
        let mut changed: BTreeMap<&ChunkId, ChunkRow> = BTreeMap::new();
        let mut told: BTreeSet<(&NodeId, &ChunkId)> = BTreeSet::new();
        let mut tasks = Vec::new();
        for copy in &self.copies {
            let CopyPlan {
                chunk,
                target,
                reason,
                source,
                instead_of: _,
            } = copy;
            let Some(known) = view.referenced_chunk(chunk) else {
                continue;
            };
            let has_task = view.tasks.contains_key(&(target.clone(), chunk.clone()));
            let takes = view.nodes.get(target).is_some_and(|node| node.takes_replicas());
            if has_task || !takes || told.contains(&(target, chunk)) {
                continue;
            }
            let row = changed.get(chunk).unwrap_or(known);
            if let Some(row) = self.with_copy(row, copy, view) {
                let new_task = NewTask {
                    request: id,
                    reason: *reason,
                    time: self.time,
                    context,
                };
                tasks.push(new_task.copy(target, chunk, row.size, source.clone()));
                told.insert((target, chunk));
                changed.insert(chunk, row);
            }
        }
        let started = told.len() as u64;
        let mut mutations: Vec<_> = changed
            .into_iter()
            .filter(|(id, row)| view.chunks.get(*id) != Some(row))
            .map(|(id, row)| Mutation::PutChunk(id.clone(), row))
            .collect();
        mutations.append(&mut tasks);
        Effects {
            mutations,
            response: Response::TasksStarted { started },
        }
    }

    /// The chunk with a copy told to a node, if it needs one and there is something to copy. Copies that do not count
    /// take no place: a chunk may have more replicas than wanted until they come back or are forgotten.
    fn with_copy(&self, row: &ChunkRow, copy: &CopyPlan, view: &View) -> Option<ChunkRow> {
        let target = &copy.target;
        match row.replica_on(target).map(|replica| replica.state) {
            // A client was to bring the copy and did not; only a copy that is known to be there can stand in for it.
            Some(ReplicaState::Assigned) => {
                has_source(row, target, &[ReplicaState::Stored], view).then(|| row.clone())
            }
            Some(ReplicaState::Stored | ReplicaState::Deleting) => None,
            None => {
                let enough = count_kept(row, view, copy.instead_of.as_ref()) >= self.wanted as usize;
                if enough || !has_source(row, target, &COPIES, view) {
                    return None;
                }
                let mut row = row.clone();
                row.replicas.push(Replica {
                    node: target.clone(),
                    state: ReplicaState::Assigned,
                });
                Some(row)
            }
        }
    }
}

/// Whether a node other than the target may be asked for the chunk.
fn has_source(row: &ChunkRow, target: &NodeId, states: &[ReplicaState], view: &View) -> bool {
    row.replicas.iter().any(|replica| {
        replica.node != *target && states.contains(&replica.state) && is_there(&replica.node, view)
    })
}

#[cfg(test)]
mod tests {
    use crate::command::LocationChange::Add;
    use crate::response::Response;
    use crate::row::{ReplicaState, TaskKind};
    use crate::testing::{NewFile, World, assign, delete, locations, set_state, silence, unregister};

    /// A chunk on `n1` and `n2`, stored on the first; `n3` and `n4` have none.
    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world
    }

    fn started(world: &mut World, chunk: &str, target: &str) -> bool {
        match world.apply(assign(chunk, target)).unwrap() {
            Response::TasksStarted { started } => started == 1,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_copy_is_assigned_with_a_task_until_it_is_there() {
        let mut world = world();
        assert!(started(&mut world, "a", "n3"));
        assert_eq!(world.replicas("a"), ["n1", "n2", "n3"]);
        let task = world.task("n3", "a").unwrap();
        assert_eq!((task.kind, task.attempt), (TaskKind::Replicate, 1));
        assert!(task.deadline > task.created_at);
        assert!(!started(&mut world, "a", "n3"), "it has the task already");
        assert!(!started(&mut world, "a", "n4"), "there are enough");
        world.apply(locations("a", Add, ["n3"])).unwrap();
        assert_eq!(world.task("n3", "a"), None);
        assert_eq!(world.chunk("a").unwrap().replicas[2].state, ReplicaState::Stored);
    }

    #[test]
    fn a_copy_that_no_client_brought_is_fetched_from_one_that_is_stored() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        assert!(!started(&mut world, "a", "n2"), "nothing is known to be there");
        world.apply(locations("a", Add, ["n1"])).unwrap();
        assert!(!started(&mut world, "a", "n1"), "it is there");
        assert!(started(&mut world, "a", "n2"));
        assert_eq!(world.replicas("a"), ["n1", "n2"]);
    }

    #[test]
    fn copies_on_nodes_that_are_gone_silent_or_draining_do_not_count() {
        for lose in [
            unregister("n2"),
            silence(["n2"]),
            set_state("n2", crate::testing::DRAIN),
        ] {
            let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
            world
                .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
                .unwrap();
            world.apply(locations("a", Add, ["n1", "n2", "n3"])).unwrap();
            assert!(!started(&mut world, "a", "n4"));
            world.apply(lose).unwrap();
            assert!(started(&mut world, "a", "n4"));
        }
    }

    #[test]
    fn nothing_is_copied_without_a_source_or_to_a_node_that_takes_none() {
        let mut world = world();
        world.apply(silence(["n1", "n2"])).unwrap();
        assert!(!started(&mut world, "a", "n3"));
        let mut world = self::world();
        world.apply(set_state("n3", crate::testing::DRAIN)).unwrap();
        assert!(!started(&mut world, "a", "n3"));
        assert!(!started(&mut world, "b", "n4"), "no such chunk");
        world.apply(delete("f")).unwrap();
        assert!(!started(&mut world, "a", "n4"), "no file holds it");
    }
}
