//! Nodes drop copies that others make up for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::copies::{NewTask, count_sure, delete_copies, is_there};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId, RequestId};
use crate::response::Response;
use crate::row::{ChunkRow, ReplicaState, TaskReason};
use crate::units::{Millis, Timestamp};
use crate::view::{ReadSet, View};

/// Tells nodes to drop copies of chunks that files hold, because there are enough without them.
///
/// Enough are as many as wanted, each known to be stored on a node that is in service and heard from: seen here, for each
/// copy anew, with those counted out that this very command takes. A proposer that is wrong, late, or deposed takes
/// nothing that is needed.
///
/// A command that comes late does nothing: a new leader takes every node for heard from at first, also those that fell
/// silent since the command was proposed to the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimCopies {
    /// The copies.
    pub copies: Vec<TrimPlan>,
    /// The replicas wanted for each chunk.
    pub wanted: u32,
    /// From then on nothing is done.
    pub not_after: Timestamp,
    /// How long the nodes have.
    pub time: Millis,
}

/// A copy to drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimPlan {
    /// Of this chunk.
    pub chunk: ChunkId,
    /// On this node.
    pub node: NodeId,
    /// Why this one.
    pub reason: TaskReason,
}

impl TrimCopies {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            chunks: self.copies.iter().map(|copy| copy.chunk.clone()).collect(),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Effects {
        let mut changed: BTreeMap<&ChunkId, ChunkRow> = BTreeMap::new();
        let mut mutations = Vec::new();
        let mut seen = BTreeSet::new();
        let in_time = |_: &&TrimPlan| context.now < self.not_after;
        for TrimPlan { chunk, node, reason } in self.copies.iter().filter(in_time) {
            let Some(known) = view
                .referenced_chunk(chunk)
                .filter(|_| seen.insert((chunk, node)))
            else {
                continue;
            };
            let row = changed.get(chunk).unwrap_or(known);
            if !self.can_spare(row, node, view) {
                continue;
            }
            let new_task = NewTask {
                request: id,
                reason: *reason,
                time: self.time,
                context,
            };
            let mut row = row.clone();
            // A task to fetch the copy is replaced by the one to drop it.
            delete_copies(chunk, &mut row, |told| told == node, &new_task, &mut mutations);
            changed.insert(chunk, row);
        }
        let trimmed = mutations.len() as u64;
        mutations.extend(
            changed
                .into_iter()
                .map(|(id, row)| Mutation::PutChunk(id.clone(), row)),
        );
        Effects {
            mutations,
            response: Response::CopiesTrimmed { trimmed },
        }
    }

    /// Whether the node has a copy and can be told to drop it, and enough others are stored.
    fn can_spare(&self, row: &ChunkRow, node: &NodeId, view: &View) -> bool {
        let Some(state) = row.replica_on(node).map(|replica| replica.state) else {
            return false;
        };
        let is_sure = view.nodes.get(node).is_some_and(|node| node.holds_surely());
        let others = match state {
            ReplicaState::Deleting => return false,
            ReplicaState::Assigned => count_sure(row, view),
            ReplicaState::Stored => count_sure(row, view) - usize::from(is_sure),
        };
        is_there(node, view) && others >= (self.wanted as usize).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{TrimCopies, TrimPlan};
    use crate::command::LocationChange::{Add, Remove};
    use crate::command::{Command, UpdateChunkLocations};
    use crate::response::Response;
    use crate::row::{ReplicaState, TaskKind, TaskReason};
    use crate::testing::{
        DRAIN, NewFile, TASK_TIME, World, delete, locations, set_state, silence, unregister,
    };
    use crate::units::{Millis, Timestamp};

    /// A chunk stored on `n1` to `n4`.
    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        let file = NewFile::new("f", ["a"])
            .on(["n1", "n2", "n3", "n4"])
            .with(|file| file.wanted = 4);
        world.apply(file).unwrap();
        world
            .apply(locations("a", Add, ["n1", "n2", "n3", "n4"]))
            .unwrap();
        world
    }

    fn trim<const N: usize>(world: &mut World, nodes: [&str; N], wanted: u32) -> u64 {
        let not_after = world.now().plus(Millis::new(1));
        trim_until(world, not_after, nodes, wanted)
    }

    fn trim_until<const N: usize>(
        world: &mut World,
        not_after: Timestamp,
        nodes: [&str; N],
        wanted: u32,
    ) -> u64 {
        let copies = nodes.map(|node| TrimPlan {
            chunk: "a".into(),
            node: node.into(),
            reason: TaskReason::Surplus,
        });
        let command = Command::TrimCopies(TrimCopies {
            copies: copies.to_vec(),
            wanted,
            not_after,
            time: TASK_TIME,
        });
        match world.apply(command).unwrap() {
            Response::CopiesTrimmed { trimmed } => trimmed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_command_never_takes_more_than_there_are_to_spare() {
        let mut world = world();
        assert_eq!(trim(&mut world, ["n1", "n1", "n2", "n3", "n4"], 3), 1);
        assert_eq!(world.task("n1", "a").unwrap().kind, TaskKind::Delete);
        assert_eq!(world.task("n1", "a").unwrap().reason, TaskReason::Surplus);
        assert_eq!(trim(&mut world, ["n1", "n2"], 3), 0, "three are left");
        world.apply(locations("a", Remove, ["n1"])).unwrap();
        assert_eq!(world.replicas("a"), ["n2", "n3", "n4"]);
    }

    #[test]
    fn a_command_that_comes_late_takes_nothing() {
        let mut world = world();
        let now = world.now();
        assert_eq!(trim_until(&mut world, now, ["n1"], 3), 0);
        assert_eq!(trim_until(&mut world, now.plus(Millis::new(1)), ["n1"], 3), 1);
    }

    #[test]
    fn not_even_a_wish_for_none_takes_the_last_copy() {
        let mut world = world();
        assert_eq!(trim(&mut world, ["n1", "n2", "n3", "n4"], 0), 3);
    }

    #[test]
    fn copies_that_cannot_be_relied_on_make_up_for_none() {
        for lose in [silence(["n4"]), unregister("n4"), set_state("n4", DRAIN)] {
            let mut world = world();
            world.apply(lose).unwrap();
            assert_eq!(trim(&mut world, ["n1"], 3), 0);
        }
        let mut world = world();
        world.apply(set_state("n4", DRAIN)).unwrap();
        assert_eq!(
            trim(&mut world, ["n4"], 3),
            1,
            "the three others are enough without it"
        );
        let state = |node: &str| world.chunk("a").unwrap().replica_on(&node.into()).unwrap().state;
        assert_eq!(
            (state("n4"), state("n1")),
            (ReplicaState::Deleting, ReplicaState::Stored)
        );
    }

    #[test]
    fn a_node_that_cannot_be_told_keeps_its_copy_and_so_does_one_of_a_chunk_that_no_file_holds() {
        let mut world = world();
        world.apply(silence(["n1"])).unwrap();
        assert_eq!(trim(&mut world, ["n1"], 2), 0);
        world.apply(delete("f")).unwrap();
        assert_eq!(trim(&mut world, ["n2"], 1), 0);
    }

    #[test]
    fn a_copy_that_is_only_on_its_way_can_be_called_off() {
        let mut world = world();
        world.apply(locations("a", Remove, ["n4"])).unwrap();
        world.apply(crate::testing::assign("a", "n4")).unwrap();
        assert_eq!(world.task("n4", "a"), None, "three are enough");
        world.apply(locations("a", Remove, ["n3"])).unwrap();
        world.apply(crate::testing::assign("a", "n4")).unwrap();
        assert_eq!(trim(&mut world, ["n4"], 3), 0, "it is needed");
        let more = Command::UpdateChunkLocations(UpdateChunkLocations {
            chunk: "a".into(),
            nodes: vec!["n3".into()],
            change: Add,
            max_replicas: 4,
        });
        world.apply(more).unwrap();
        assert_eq!(trim(&mut world, ["n4"], 3), 1);
        assert_eq!(world.task("n4", "a").unwrap().kind, TaskKind::Delete);
    }
}
