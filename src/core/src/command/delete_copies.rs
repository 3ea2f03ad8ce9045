//! Chunks that no file has held for long are deleted from their nodes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::copies::{NewTask, delete_copies, is_gone, is_there, put_or_delete};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId, RequestId};
use crate::response::Response;
use crate::row::{ChunkRow, ReplicaState, TaskReason};
use crate::units::{Millis, Timestamp};
use crate::view::{ReadSet, View};

/// Tells nodes to drop their copies of chunks that no file holds, and forgets copies on unregistered nodes, and with the
/// last copy the chunk.
///
/// A silent node keeps its copy until it is back: it could not be told, and a file may take the chunk up again meanwhile.
/// From then on the other copies count for nothing, even if a file takes the chunk up again: a node may drop one at any time.
/// The conditions are checked again here: naming a chunk that is still needed does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteCopies {
    /// The copies, by chunk and node.
    pub copies: Vec<(ChunkId, NodeId)>,
    /// Only chunks that no file has held since before this time.
    pub unreferenced_since: Timestamp,
    /// How long the nodes have.
    pub time: Millis,
}

impl DeleteCopies {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            chunks: self.copies.iter().map(|(chunk, _)| chunk.clone()).collect(),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Effects {
        let new_task = NewTask {
            request: id,
            reason: TaskReason::Unreferenced,
            time: self.time,
            context,
        };
        let mut named: BTreeMap<&ChunkId, BTreeSet<&NodeId>> = BTreeMap::new();
        for (chunk, node) in &self.copies {
            named.entry(chunk).or_default().insert(node);
        }
        let mut mutations = Vec::new();
        for (id, nodes) in named {
            let is_due = |row: &&ChunkRow| row.is_unreferenced_since_before(self.unreferenced_since);
            let Some(known) = view.chunks.get(id).filter(is_due) else {
                continue;
            };
            let mut row = known.clone();
            row.replicas.retain(|replica| {
                let forgotten = replica.state != ReplicaState::Deleting
                    && nodes.contains(&replica.node)
                    && is_gone(&replica.node, view);
                if forgotten {
                    mutations.push(Mutation::DeleteTask(replica.node.clone(), id.clone()));
                }
                !forgotten
            });
            let told = |node: &NodeId| nodes.contains(node) && is_there(node, view);
            delete_copies(id, &mut row, told, &new_task, &mut mutations);
            if row != *known {
                mutations.push(put_or_delete(id, row));
            }
        }
        let each = || mutations.iter();
        let response = Response::CopiesDeleted {
            started: each().filter(|one| matches!(one, Mutation::PutTask(..))).count() as u64,
            forgotten: each()
                .filter(|one| matches!(one, Mutation::DeleteChunk(_)))
                .count() as u64,
        };
        Effects { mutations, response }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::LocationChange::{Add, Remove};
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::row::TaskKind;
    use crate::testing::{
        NewFile, World, assign, delete, delete_copies, locations, register, silence, unregister,
    };
    use crate::units::{Millis, Timestamp};

    const FOREVER: Timestamp = Timestamp::from_millis(u64::MAX);

    fn deleted(started: u64, forgotten: u64) -> Result<Response, Rejection> {
        Ok(Response::CopiesDeleted { started, forgotten })
    }

    /// A chunk stored on `n1` and assigned to `n2`, of a file that was deleted.
    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1"])).unwrap();
        world.apply(delete("f")).unwrap();
        world
    }

    #[test]
    fn every_node_that_may_have_a_copy_is_told_once_and_the_row_goes_with_the_last() {
        let mut world = world();
        assert_eq!(
            world.apply(delete_copies(&["a", "a", "never"], FOREVER)),
            deleted(2, 0)
        );
        assert_eq!(world.apply(delete_copies(&["a"], FOREVER)), deleted(0, 0));
        for node in ["n1", "n2"] {
            assert_eq!(world.task(node, "a").unwrap().kind, TaskKind::Delete);
        }
        world.apply(locations("a", Remove, ["n1"])).unwrap();
        assert_eq!(world.task("n1", "a"), None);
        world.apply(locations("a", Remove, ["n2"])).unwrap();
        assert_eq!(world.chunk("a"), None);
    }

    #[test]
    fn a_chunk_is_kept_for_its_grace_and_while_a_file_holds_it() {
        let mut world = world();
        let since = world.now();
        assert_eq!(world.apply(delete_copies(&["a"], since)), deleted(0, 0));
        world.apply(NewFile::new("g", ["a"]).on(["n1"])).unwrap();
        assert_eq!(world.apply(delete_copies(&["a"], FOREVER)), deleted(0, 0));
        world.apply(delete("g")).unwrap();
        let later = since.plus(Millis::new(1));
        assert_eq!(world.apply(delete_copies(&["a"], later)), deleted(2, 0));
    }

    #[test]
    fn an_unregistered_node_is_not_waited_for() {
        let mut world = world();
        for node in ["n1", "n2"] {
            world.apply(unregister(node)).unwrap();
        }
        assert_eq!(world.apply(delete_copies(&["a"], FOREVER)), deleted(0, 1));
        assert_eq!(world.chunk("a"), None);
    }

    #[test]
    fn a_silent_node_is_told_when_it_is_back() {
        let mut world = world();
        world.apply(silence(["n1"])).unwrap();
        assert_eq!(world.apply(delete_copies(&["a"], FOREVER)), deleted(1, 0));
        assert_eq!(world.task("n1", "a"), None);
        world.apply(register("n1")).unwrap();
        assert_eq!(world.apply(delete_copies(&["a"], FOREVER)), deleted(1, 0));
        assert!(world.task("n1", "a").is_some());
    }

    #[test]
    fn a_copy_that_is_being_deleted_is_no_copy_for_a_file_that_comes() {
        let mut world = world();
        world.apply(delete_copies(&["a"], FOREVER)).unwrap();
        let refused = world.apply(NewFile::new("g", ["a"]).on(["n1", "n2"]));
        assert_eq!(refused, Err(Rejection::ChunkBeingDeleted { chunk: "a".into() }));
        let placed = world
            .apply(NewFile::new("g", ["a"]).on(["n1", "n2", "n3"]))
            .unwrap();
        let Response::FileRegistered { placements, .. } = placed else {
            panic!("{placed:?}");
        };
        assert_eq!(placements[0].nodes, ["n3".into()]);
        let refused = world.apply(locations("a", Add, ["n1"]));
        assert_eq!(
            refused,
            Err(Rejection::CopyBeingDeleted {
                chunk: "a".into(),
                node: "n1".into()
            })
        );
        world.apply(locations("a", Remove, ["n1", "n2"])).unwrap();
        assert_eq!(world.replicas("a"), ["n3"]);
        world.apply(locations("a", Add, ["n3"])).unwrap();
        let copied = world.apply(assign("a", "n1"));
        assert_eq!(copied, Ok(Response::TasksStarted { started: 1 }));
    }

    #[test]
    fn a_task_to_copy_what_nobody_needs_becomes_one_to_delete_it() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(assign("a", "n2")).unwrap();
        world.apply(delete("f")).unwrap();
        assert_eq!(world.apply(delete_copies(&["a"], FOREVER)), deleted(2, 0));
        assert_eq!(world.task("n2", "a").unwrap().kind, TaskKind::Delete);
    }

    #[test]
    fn a_node_that_registers_anew_is_still_to_delete_its_copy() {
        let mut world = world();
        world.apply(delete_copies(&["a"], FOREVER)).unwrap();
        world.apply(unregister("n1")).unwrap();
        world.apply(register("n1")).unwrap();
        assert_eq!(
            world.apply(delete_copies(&["a"], FOREVER)),
            deleted(0, 0),
            "what it was told it may still do"
        );
        assert!(world.task("n1", "a").is_some());
    }
}
