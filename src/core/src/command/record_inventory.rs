//! A node says which chunks it holds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::copies::{NewTask, is_there, make_place, put_or_delete};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, ContentHash, NodeId, RequestId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{ChunkRow, NodeRow, Replica, ReplicaState, TaskReason};
use crate::units::{ByteSize, Millis};
use crate::view::{ReadSet, View};

/// Records a part of what a node found on its disks.
///
/// A copy that nobody knew of counts from now on. One that should be there and is not is fetched anew: its place is kept,
/// so that a node that stored it a moment after it looked only has to say so again. A chunk that is not known at all is
/// kept, as one that no file holds, until a quarantine is over: its file may only have been restored from a backup that is
/// older than the chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordInventory {
    /// The node.
    pub node: NodeId,
    /// Chunks that it has.
    pub held: Vec<HeldChunk>,
    /// Chunks that it should have, and has not.
    pub missing: Vec<ChunkId>,
    /// How long a chunk that is not known is kept before it counts as one that no file holds.
    pub quarantine: Millis,
    /// The most replicas that a chunk may have.
    pub max_replicas: u32,
    /// How long the node has to fetch what is missing.
    pub time: Millis,
}

/// A chunk as a node has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldChunk {
    /// Its id.
    pub chunk: ChunkId,
    /// The hash of its content.
    pub hash: ContentHash,
    /// Its length.
    pub size: ByteSize,
}

/// What came of one chunk.
#[derive(Default)]
struct Tally {
    found: u64,
    missing: u64,
    quarantined: u64,
}

impl RecordInventory {
    pub(super) fn reads(&self) -> ReadSet {
        let held = self.held.iter().map(|held| held.chunk.clone());
        ReadSet {
            nodes: vec![self.node.clone()],
            chunks: held.chain(self.missing.iter().cloned()).collect(),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Result<Effects, Rejection> {
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
        let new_task = NewTask {
            request: id,
            reason: TaskReason::UnderTarget,
            time: self.time,
            context,
        };
        let mut mutations = Vec::new();
        let mut tally = Tally::default();
        let mut seen = BTreeSet::new();
        for held in &self.held {
            if !seen.insert(&held.chunk) {
                continue;
            }
            match view.chunks.get(&held.chunk) {
                None => {
                    let row = self.unknown(held, context);
                    mutations.push(Mutation::PutChunk(held.chunk.clone(), row));
                    tally.quarantined += 1;
                }
                Some(row) if row.same_content(&held.hash, held.size) => {
                    self.has(&held.chunk, row, node, view, &mut mutations, &mut tally);
                }
                // Whatever this is, it is not the chunk.
                Some(row) => self.lacks(&held.chunk, row, view, &new_task, &mut mutations, &mut tally),
            }
        }
        for chunk in &self.missing {
            if let Some(row) = view.chunks.get(chunk).filter(|_| seen.insert(chunk)) {
                self.lacks(chunk, row, view, &new_task, &mut mutations, &mut tally);
            }
        }
        Ok(Effects {
            mutations,
            response: Response::InventoryRecorded {
                found: tally.found,
                missing: tally.missing,
                quarantined: tally.quarantined,
            },
        })
    }

    fn unknown(&self, held: &HeldChunk, context: &Context) -> ChunkRow {
        ChunkRow {
            hash: held.hash.clone(),
            size: held.size,
            created_at: context.now,
            home: None,
            index: 0,
            sharers: 0,
            unreferenced_since: Some(context.now.plus(self.quarantine)),
            replicas: vec![Replica {
                node: self.node.clone(),
                state: ReplicaState::Stored,
            }],
        }
    }

    fn has(
        &self,
        id: &ChunkId,
        row: &ChunkRow,
        node: &NodeRow,
        view: &View,
        mutations: &mut Vec<Mutation>,
        tally: &mut Tally,
    ) {
        let mut changed = row.clone();
        match row.replica_on(&self.node).map(|replica| replica.state) {
            Some(ReplicaState::Stored | ReplicaState::Deleting) => return,
            Some(ReplicaState::Assigned) => {
                self.set_state(&mut changed, ReplicaState::Stored);
                mutations.push(Mutation::DeleteTask(self.node.clone(), id.clone()));
            }
            None => {
                let is_drained = node.drain().is_some_and(|drain| drain.done_at.is_some());
                if is_drained && row.is_referenced() {
                    return;
                }
                let dropped = |node| mutations.push(Mutation::DeleteTask(node, id.clone()));
                if !make_place(&mut changed, self.max_replicas, view, dropped) {
                    return;
                }
                changed.replicas.push(Replica {
                    node: self.node.clone(),
                    state: ReplicaState::Stored,
                });
            }
        }
        tally.found += 1;
        mutations.push(Mutation::PutChunk(id.clone(), changed));
    }

    fn lacks(
        &self,
        id: &ChunkId,
        row: &ChunkRow,
        view: &View,
        new_task: &NewTask<'_>,
        mutations: &mut Vec<Mutation>,
        tally: &mut Tally,
    ) {
        let mut changed = row.clone();
        match row.replica_on(&self.node).map(|replica| replica.state) {
            None | Some(ReplicaState::Assigned) => return,
            Some(ReplicaState::Deleting) => {
                changed.replicas.retain(|replica| replica.node != self.node);
                mutations.push(Mutation::DeleteTask(self.node.clone(), id.clone()));
            }
            Some(ReplicaState::Stored) if !row.is_referenced() => {
                changed.replicas.retain(|replica| replica.node != self.node);
            }
            Some(ReplicaState::Stored) => {
                self.set_state(&mut changed, ReplicaState::Assigned);
                let source = row.replicas.iter().find(|replica| {
                    replica.state == ReplicaState::Stored
                        && replica.node != self.node
                        && is_there(&replica.node, view)
                });
                let takes = view
                    .nodes
                    .get(&self.node)
                    .is_some_and(|node| node.takes_replicas());
                if let Some(source) = source.filter(|_| takes) {
                    let source = Some(source.node.clone());
                    mutations.push(new_task.copy(&self.node, id, row.size, source));
                }
                tally.missing += 1;
            }
        }
        mutations.push(put_or_delete(id, changed));
    }

    fn set_state(&self, row: &mut ChunkRow, state: ReplicaState) {
        let mine = row.replicas.iter_mut().find(|replica| replica.node == self.node);
        if let Some(replica) = mine {
            replica.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HeldChunk, RecordInventory};
    use crate::command::Command;
    use crate::command::LocationChange::{Add, Remove};
    use crate::id::ContentHash;
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::row::ReplicaState::{self, Assigned, Stored};
    use crate::row::TaskKind;
    use crate::testing::{NewFile, TASK_TIME, World, delete, delete_copies, locations, unregister};
    use crate::units::{ByteSize, Millis};

    const DAY: Millis = Millis::from_seconds(86_400);

    /// A chunk stored on `n1` and `n2`; `n3` has none.
    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1", "n2"])).unwrap();
        world
    }

    fn held(chunk: &str, hash: &str) -> HeldChunk {
        HeldChunk {
            chunk: chunk.into(),
            hash: ContentHash::from(hash),
            size: ByteSize::new(100),
        }
    }

    fn inventory(node: &str, held: Vec<HeldChunk>, missing: &[&str]) -> Command {
        Command::RecordInventory(RecordInventory {
            node: node.into(),
            held,
            missing: missing.iter().map(|&chunk| chunk.into()).collect(),
            quarantine: DAY,
            max_replicas: 3,
            time: TASK_TIME,
        })
    }

    fn recorded(found: u64, missing: u64, quarantined: u64) -> Result<Response, Rejection> {
        Ok(Response::InventoryRecorded {
            found,
            missing,
            quarantined,
        })
    }

    fn state(world: &World, chunk: &str, node: &str) -> Option<ReplicaState> {
        let row = world.chunk(chunk).unwrap();
        row.replica_on(&node.into()).map(|replica| replica.state)
    }

    #[test]
    fn what_is_as_it_should_be_changes_nothing() {
        let mut world = world();
        let command = inventory("n1", vec![held("a", "a"), held("a", "a")], &[]);
        let before = world.chunk("a");
        assert_eq!(world.apply(command), recorded(0, 0, 0));
        assert_eq!(world.chunk("a"), before);
    }

    #[test]
    fn a_copy_that_nobody_knew_of_counts() {
        let mut world = world();
        assert_eq!(
            world.apply(inventory("n3", vec![held("a", "a")], &[])),
            recorded(1, 0, 0)
        );
        assert_eq!(state(&world, "a", "n3"), Some(Stored));
        world.apply(locations("a", Remove, ["n2"])).unwrap();
        world.apply(crate::testing::assign("a", "n2")).unwrap();
        assert_eq!(
            world.apply(inventory("n2", vec![held("a", "a")], &[])),
            recorded(1, 0, 0),
            "it was on its way"
        );
        assert_eq!(world.task("n2", "a"), None);
    }

    #[test]
    fn what_is_missing_is_fetched_anew_and_keeps_its_place() {
        for command in [
            inventory("n1", vec![], &["a"]),
            inventory("n1", vec![held("a", "other")], &[]),
            inventory("n1", vec![held("a", "other")], &["a"]),
        ] {
            let mut world = world();
            assert_eq!(world.apply(command), recorded(0, 1, 0));
            assert_eq!(state(&world, "a", "n1"), Some(Assigned));
            let task = world.task("n1", "a").unwrap();
            assert_eq!((task.kind, task.source), (TaskKind::Replicate, Some("n2".into())));
            world.apply(locations("a", Add, ["n1"])).unwrap();
            assert_eq!(state(&world, "a", "n1"), Some(Stored));
        }
    }

    #[test]
    fn the_last_copy_that_is_missing_is_not_forgotten() {
        let mut world = world();
        world.apply(inventory("n1", vec![], &["a"])).unwrap();
        world.apply(inventory("n2", vec![], &["a"])).unwrap();
        assert_eq!(world.replicas("a"), ["n1", "n2"]);
        assert_eq!(world.task("n2", "a"), None, "there is nothing to fetch it from");
        world.apply(inventory("n2", vec![held("a", "a")], &[])).unwrap();
        assert_eq!(state(&world, "a", "n2"), Some(Stored));
    }

    #[test]
    fn an_unknown_chunk_is_kept_for_a_while_and_then_deleted() {
        let mut world = world();
        assert_eq!(
            world.apply(inventory("n3", vec![held("lost", "h")], &[])),
            recorded(0, 0, 1)
        );
        let begun = world.now();
        assert!(!world.chunk("lost").unwrap().is_referenced());
        world.pass(DAY);
        world.apply(delete_copies(&["lost"], world.now())).unwrap();
        assert_eq!(
            state(&world, "lost", "n3"),
            Some(Stored),
            "the quarantine ends now"
        );
        assert_eq!(world.now(), begun.plus(DAY));
        world.pass(Millis::new(1));
        world.apply(delete_copies(&["lost"], world.now())).unwrap();
        assert_eq!(world.task("n3", "lost").unwrap().kind, TaskKind::Delete);
    }

    #[test]
    fn a_file_can_take_up_what_is_in_quarantine() {
        let mut world = world();
        world
            .apply(inventory("n3", vec![held("lost", "lost")], &[]))
            .unwrap();
        world.apply(NewFile::new("g", ["lost"]).on(["n1", "n2"])).unwrap();
        assert_eq!(state(&world, "lost", "n3"), Some(Stored));
        assert!(world.chunk("lost").unwrap().is_referenced());
    }

    #[test]
    fn a_deletion_that_was_done_is_noticed_and_one_that_was_not_stays_a_task() {
        let mut world = world();
        world.apply(delete("f")).unwrap();
        world.pass(Millis::new(1));
        world.apply(delete_copies(&["a"], world.now())).unwrap();
        world.apply(inventory("n1", vec![held("a", "a")], &[])).unwrap();
        assert_eq!(world.task("n1", "a").unwrap().kind, TaskKind::Delete);
        world.apply(inventory("n1", vec![], &["a"])).unwrap();
        world.apply(inventory("n2", vec![], &["a"])).unwrap();
        assert_eq!(world.chunk("a"), None);
    }

    #[test]
    fn only_registered_nodes_are_listened_to() {
        let mut world = world();
        world.apply(unregister("n3")).unwrap();
        assert_eq!(
            world.apply(inventory("n3", vec![], &[])),
            Err(Rejection::NodeRemoved { node: "n3".into() })
        );
        assert_eq!(
            world.apply(inventory("n9", vec![], &[])),
            Err(Rejection::NodeNotFound { node: "n9".into() })
        );
    }
}
