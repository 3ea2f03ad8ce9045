//! A node says which chunks it holds.

mod news;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::copies::{make_place, put_or_delete};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, ContentHash, NodeId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{ChunkRow, NodeRow, Replica, ReplicaState};
use crate::units::{ByteSize, Millis};
use crate::view::{ReadSet, View};

/// Records a part of what a node found on its disks.
///
/// A copy that nobody knew of counts from now on. One that should be there and is not counts no longer, but its place is
/// kept: the node is told to fetch it, and one that stored it a moment after it looked only has to say so again. A chunk that is not known at all is
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
    /// What it looks at.
    pub fn reads(&self) -> ReadSet {
        let held = self.held.iter().map(|held| held.chunk.clone());
        ReadSet {
            nodes: vec![self.node.clone()],
            chunks: held.chain(self.missing.iter().cloned()).collect(),
            replica_nodes: true,
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
                Some(row) => self.known(held, row, node, view, &mut mutations, &mut tally),
            }
        }
        for chunk in &self.missing {
            if let Some(row) = view.chunks.get(chunk).filter(|_| seen.insert(chunk)) {
                self.lacks(chunk, row, node, &mut mutations, &mut tally);
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

    /// The node has something under the id of a chunk that is known.
    fn known(
        &self,
        held: &HeldChunk,
        row: &ChunkRow,
        node: &NodeRow,
        view: &View,
        mutations: &mut Vec<Mutation>,
        tally: &mut Tally,
    ) {
        if row.same_content(&held.hash, held.size) {
            self.has(&held.chunk, row, node, view, mutations, tally);
        } else {
            // Whatever this is, it is not the chunk.
            self.lacks(&held.chunk, row, node, mutations, tally);
        }
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
        // An operator was told that the node is empty.
        if node.is_drained() && row.is_referenced() {
            return;
        }
        let mut changed = row.clone();
        match row.replica_on(&self.node).map(|replica| replica.state) {
            Some(ReplicaState::Stored | ReplicaState::Deleting) => return,
            Some(ReplicaState::Assigned) => {
                set_state(&mut changed, &self.node, ReplicaState::Stored);
                mutations.push(Mutation::DeleteTask(self.node.clone(), id.clone()));
            }
            None => {
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

    /// The copy is not there. Its place is kept: whoever looks after the chunk tells the node to fetch it, in its turn. A
    /// copy that is being deleted is for the node's own report to end. On a node that is drained the copy goes on counting
    /// until others make up for it, and the node is told to drop it as all others: one of its disks may only not have been
    /// there when it looked, and nobody must be told meanwhile that the node can be switched off.
    fn lacks(
        &self,
        id: &ChunkId,
        row: &ChunkRow,
        node: &NodeRow,
        mutations: &mut Vec<Mutation>,
        tally: &mut Tally,
    ) {
        let is_stored = row
            .replica_on(&self.node)
            .is_some_and(|replica| replica.state == ReplicaState::Stored);
        if !is_stored || row.is_referenced() && node.drain().is_some() {
            return;
        }
        let mut changed = row.clone();
        if row.is_referenced() {
            set_state(&mut changed, &self.node, ReplicaState::Assigned);
            tally.missing += 1;
        } else {
            changed.replicas.retain(|replica| replica.node != self.node);
        }
        mutations.push(put_or_delete(id, changed));
    }
}

fn set_state(row: &mut ChunkRow, node: &NodeId, state: ReplicaState) {
    let its = row.replicas.iter_mut().find(|replica| replica.node == *node);
    if let Some(replica) = its {
        replica.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::{HeldChunk, RecordInventory};
    use crate::command::LocationChange::{Add, Remove};
    use crate::command::{Command, FinishDrains};
    use crate::id::ContentHash;
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::row::ReplicaState::{self, Assigned, Stored};
    use crate::row::TaskKind;
    use crate::testing::{DRAIN, NewFile, World, delete, delete_copies, locations, set_state, unregister};
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
            assert_eq!(world.task("n1", "a"), None, "its turn comes");
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
        world.apply(inventory("n2", vec![held("a", "a")], &[])).unwrap();
        assert_eq!(state(&world, "a", "n2"), Some(Stored));
    }

    #[test]
    fn what_a_draining_node_does_not_find_does_not_empty_it() {
        let mut world = world();
        world.apply(set_state("n1", DRAIN)).unwrap();
        assert_eq!(world.apply(inventory("n1", vec![], &["a"])), recorded(0, 0, 0));
        assert_eq!(state(&world, "a", "n1"), Some(Stored));
        let nodes = vec!["n1".into()];
        world
            .apply(Command::FinishDrains(FinishDrains { nodes }))
            .unwrap();
        assert!(!world.node("n1").is_drained());
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
    fn a_deletion_ends_with_its_own_report_only() {
        let mut world = world();
        world.apply(delete("f")).unwrap();
        world.pass(Millis::new(1));
        world.apply(delete_copies(&["a"], world.now())).unwrap();
        for command in [
            inventory("n1", vec![held("a", "a")], &[]),
            inventory("n1", vec![held("a", "other")], &[]),
            inventory("n1", vec![], &["a"]),
        ] {
            world.apply(command).unwrap();
            assert_eq!(world.task("n1", "a").unwrap().kind, TaskKind::Delete);
        }
    }

    #[test]
    fn a_drained_node_gets_nothing_back() {
        let mut world = world();
        world.apply(NewFile::new("g", ["b"]).on(["n3"])).unwrap();
        world.apply(set_state("n3", DRAIN)).unwrap();
        let nodes = vec!["n3".into()];
        world
            .apply(Command::FinishDrains(FinishDrains { nodes }))
            .unwrap();
        assert!(world.node("n3").is_drained());
        let all = vec![held("a", "a"), held("b", "b")];
        assert_eq!(world.apply(inventory("n3", all, &[])), recorded(0, 0, 0));
        assert_eq!(state(&world, "b", "n3"), Some(Assigned));
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
