//! Nodes took or dropped copies of a chunk.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::copies::{make_place, put_or_delete};
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{ChunkRow, Replica, ReplicaState};
use crate::view::{ReadSet, View};

/// Records what nodes say of a chunk: that they store it now, or no longer.
///
/// A chunk that no file holds any more is still updated, since that is when nodes drop it. Whatever task a node had for the
/// chunk ends with what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateChunkLocations {
    /// The chunk.
    pub chunk: ChunkId,
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// What they say.
    pub change: LocationChange,
    /// The most replicas that a chunk may have.
    pub max_replicas: u32,
}

/// What nodes say of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocationChange {
    /// They store it.
    Add,
    /// They do not store it, or no longer.
    Remove,
}

impl UpdateChunkLocations {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.nodes.clone(),
            chunks: vec![self.chunk.clone()],
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View) -> Result<Effects, Rejection> {
        let chunk = view
            .chunks
            .get(&self.chunk)
            .ok_or_else(|| Rejection::ChunkNotFound {
                chunk: self.chunk.clone(),
            })?;
        for id in &self.nodes {
            let node = view
                .nodes
                .get(id)
                .ok_or_else(|| Rejection::NodeNotFound { node: id.clone() })?;
            // A node that was removed may still drop its copies, but not count as a place for them.
            if node.is_removed() && self.change == LocationChange::Add {
                return Err(Rejection::NodeRemoved { node: id.clone() });
            }
            // An operator was told that it is empty.
            if node.is_drained() && self.change == LocationChange::Add && chunk.is_referenced() {
                return Err(Rejection::NodeDrained { node: id.clone() });
            }
        }
        let nodes: BTreeSet<&NodeId> = self.nodes.iter().collect();
        let changed = match self.change {
            LocationChange::Add => self.with_copies_on(chunk, &nodes, view)?,
            LocationChange::Remove => without_copies_on(chunk, &nodes),
        };
        let mut mutations: Vec<_> = chunk
            .replicas
            .iter()
            .filter(|replica| may_have_task(replica) && changed.replica_on(&replica.node) != Some(replica))
            .map(|replica| Mutation::DeleteTask(replica.node.clone(), self.chunk.clone()))
            .collect();
        if changed != *chunk {
            mutations.push(put_or_delete(&self.chunk, changed));
        }
        Ok(Effects {
            mutations,
            response: Response::ChunkLocationsUpdated,
        })
    }

    fn with_copies_on(
        &self,
        chunk: &ChunkRow,
        nodes: &BTreeSet<&NodeId>,
        view: &View,
    ) -> Result<ChunkRow, Rejection> {
        let mut changed = chunk.clone();
        for &node in nodes {
            if let Some(replica) = changed.replicas.iter_mut().find(|replica| replica.node == *node) {
                if replica.state == ReplicaState::Deleting {
                    return Err(Rejection::CopyBeingDeleted {
                        chunk: self.chunk.clone(),
                        node: node.clone(),
                    });
                }
                replica.state = ReplicaState::Stored;
                continue;
            }
            if !make_place(&mut changed, self.max_replicas, view, drop) {
                return Err(Rejection::TooManyReplicas {
                    chunk: self.chunk.clone(),
                    limit: self.max_replicas,
                });
            }
            changed.replicas.push(Replica {
                node: node.clone(),
                state: ReplicaState::Stored,
            });
        }
        Ok(changed)
    }
}

/// Whether the node may have been told to do something about its copy.
const fn may_have_task(replica: &Replica) -> bool {
    match replica.state {
        ReplicaState::Assigned | ReplicaState::Deleting => true,
        ReplicaState::Stored => false,
    }
}

fn without_copies_on(chunk: &ChunkRow, nodes: &BTreeSet<&NodeId>) -> ChunkRow {
    let mut changed = chunk.clone();
    changed.replicas.retain(|replica| !nodes.contains(&replica.node));
    changed
}

#[cfg(test)]
mod tests {
    use super::LocationChange::{Add, Remove};
    use crate::rejection::Rejection;
    use crate::row::ReplicaState;
    use crate::testing::{NewFile, World, delete, locations, register, unregister};

    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world
    }

    #[test]
    fn an_assigned_copy_becomes_a_stored_one_and_a_further_copy_is_added() {
        let mut world = world();
        world.apply(locations("a", Add, ["n2", "n3", "n3"])).unwrap();
        let states: Vec<_> = world
            .chunk("a")
            .unwrap()
            .replicas
            .iter()
            .map(|replica| replica.state)
            .collect();
        assert_eq!(world.replicas("a"), ["n1", "n2", "n3"]);
        assert_eq!(
            states,
            [ReplicaState::Assigned, ReplicaState::Stored, ReplicaState::Stored]
        );
    }

    #[test]
    fn a_dropped_copy_is_no_replica_and_dropping_it_twice_is_the_same() {
        let mut world = world();
        for _ in 0..2 {
            world.apply(locations("a", Remove, ["n1"])).unwrap();
            assert_eq!(world.replicas("a"), ["n2"]);
        }
    }

    #[test]
    fn no_more_replicas_are_added_than_allowed() {
        let mut world = world();
        let refused = world.apply(locations("a", Add, ["n3", "n4"]));
        assert_eq!(
            refused,
            Err(Rejection::TooManyReplicas {
                chunk: "a".into(),
                limit: 3
            })
        );
        world.apply(locations("a", Add, ["n3"])).unwrap();
    }

    #[test]
    fn at_the_limit_an_unregistered_node_makes_place() {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        world
            .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        world.apply(unregister("n2")).unwrap();
        world.apply(locations("a", Add, ["n4"])).unwrap();
        assert_eq!(world.replicas("a"), ["n1", "n3", "n4"]);
    }

    #[test]
    fn making_place_is_no_way_past_the_limit() {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4", "n5"]);
        let file = NewFile::new("f", ["a"]).on(["n1", "n2", "n3", "n4"]);
        world.apply(file.with(|file| file.wanted = 4)).unwrap();
        world.apply(unregister("n1")).unwrap();
        let refused = world.apply(locations("a", Add, ["n5"]));
        assert!(matches!(
            refused,
            Err(Rejection::TooManyReplicas { limit: 3, .. })
        ));
    }

    #[test]
    fn the_last_stored_copy_keeps_its_place_even_on_an_unregistered_node() {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4", "n5"]);
        world
            .apply(NewFile::new("f", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        world.apply(locations("a", Add, ["n2"])).unwrap();
        world.apply(unregister("n2")).unwrap();
        world.apply(locations("a", Add, ["n4"])).unwrap();
        assert_eq!(world.replicas("a"), ["n1", "n2", "n3", "n4"]);
        world.apply(unregister("n1")).unwrap();
        world.apply(locations("a", Add, ["n5"])).unwrap();
        assert_eq!(world.replicas("a"), ["n3", "n4", "n5"], "n4 has stored it too");
    }

    #[test]
    fn what_is_over_a_limit_that_was_lowered_may_still_be_confirmed() {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        let file = NewFile::new("f", ["a"]).on(["n1", "n2", "n3", "n4"]);
        world.apply(file.with(|file| file.wanted = 4)).unwrap();
        world.apply(locations("a", Add, ["n4"])).unwrap();
        assert_eq!(world.chunk("a").unwrap().replicas[3].state, ReplicaState::Stored);
    }

    #[test]
    fn unknown_chunks_and_nodes_are_named() {
        let mut world = world();
        let unknown = world.apply(locations("b", Add, ["n1"]));
        assert_eq!(unknown, Err(Rejection::ChunkNotFound { chunk: "b".into() }));
        let unknown = world.apply(locations("a", Remove, ["n1", "n9"]));
        assert_eq!(unknown, Err(Rejection::NodeNotFound { node: "n9".into() }));
    }

    #[test]
    fn an_unregistered_node_may_drop_its_copy_but_not_add_one() {
        let mut world = world();
        world.apply(unregister("n1")).unwrap();
        let refused = world.apply(locations("a", Add, ["n1"]));
        assert_eq!(refused, Err(Rejection::NodeRemoved { node: "n1".into() }));
        world.apply(locations("a", Remove, ["n1"])).unwrap();
        assert_eq!(world.replicas("a"), ["n2"]);
        world.apply(register("n1")).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
    }

    #[test]
    fn a_chunk_that_nobody_needs_goes_with_its_last_copy() {
        let mut world = world();
        world.apply(locations("a", Remove, ["n1", "n2"])).unwrap();
        assert!(world.chunk("a").is_some(), "its file still needs it");
        world.apply(locations("a", Add, ["n1", "n2"])).unwrap();
        world.apply(delete("f")).unwrap();
        world.apply(locations("a", Remove, ["n1"])).unwrap();
        assert_eq!(world.replicas("a"), ["n2"]);
        world.apply(locations("a", Remove, ["n2"])).unwrap();
        assert_eq!(world.chunk("a"), None);
    }
}
