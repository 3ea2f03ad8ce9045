//! Tasks are taken back from nodes that do not do them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::TaskName;
use super::copies::{count, put_or_delete};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId};
use crate::response::Response;
use crate::row::{ChunkRow, NodeRow, ReplicaState, TaskKind, TaskReason, TaskRow, Wanted};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Takes tasks back, so that others can be told instead.
///
/// A task to fetch a copy is taken back after its deadline: the copy is not expected any more. A task to delete one stays
/// until the node has done it, or has been unregistered for long: until then it may register again, be given a new copy, and
/// only then come to what it was told before.
///
/// But if the copy was to go because others made up for it, and none of these can be read any more, then it counts again: it
/// may be the last one. Should the node have dropped it already, it says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbandonTasks {
    /// The tasks. One that ended meanwhile, or became another, is left alone.
    pub tasks: Vec<TaskName>,
}

/// A node that was unregistered for so long does not do any more what it was told before.
pub const LAST_DELETION: Millis = Millis::from_seconds(600);

/// For how long a node has been unregistered; one that is not known, for ever.
fn gone_for(node: &NodeId, view: &View, context: &Context) -> Option<Millis> {
    match view.nodes.get(node).map(|node| &node.wanted) {
        Some(Wanted::Removed { at, .. }) => Some(context.now.since(*at)),
        Some(Wanted::InService | Wanted::Maintenance { .. } | Wanted::Draining(_)) => None,
        None => Some(Millis::new(u64::MAX)),
    }
}

impl AbandonTasks {
    pub(super) fn reads(&self) -> ReadSet {
        let each = || self.tasks.iter();
        ReadSet {
            nodes: each().map(|task| task.node.clone()).collect(),
            chunks: each().map(|task| task.chunk.clone()).collect(),
            tasks: each().map(TaskName::key).collect(),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut changed: BTreeMap<&ChunkId, ChunkRow> = BTreeMap::new();
        let mut mutations = Vec::new();
        for name in self.tasks.iter().collect::<BTreeSet<_>>() {
            let (Some(task), Some(known)) = (name.find(view), view.chunks.get(&name.chunk)) else {
                continue;
            };
            let gone_for = gone_for(&name.node, view, context);
            let row = changed.get(&name.chunk).unwrap_or(known);
            if is_last_one(&task, row, &name.node, view) {
                let mut row = row.clone();
                let its = row.replicas.iter_mut().find(|replica| replica.node == name.node);
                if let Some(replica) = its {
                    replica.state = ReplicaState::Stored;
                }
                mutations.push(Mutation::DeleteTask(name.node.clone(), name.chunk.clone()));
                changed.insert(&name.chunk, row);
                continue;
            }
            let due = match task.kind {
                TaskKind::Replicate => task.deadline <= context.now || gone_for.is_some(),
                TaskKind::Delete => gone_for.is_some_and(|span| span >= LAST_DELETION),
            };
            if !due {
                continue;
            }
            mutations.push(Mutation::DeleteTask(name.node.clone(), name.chunk.clone()));
            let row = changed.entry(&name.chunk).or_insert_with(|| known.clone());
            row.replicas
                .retain(|replica| replica.node != name.node || replica.state == ReplicaState::Stored);
        }
        let abandoned = mutations.len() as u64;
        mutations.extend(changed.into_iter().map(|(id, row)| put_or_delete(id, row)));
        Effects {
            mutations,
            response: Response::TasksAbandoned { abandoned },
        }
    }
}

/// Whether the copy that a node is to drop because others make up for it is the only one that can be read. `row` is its
/// chunk. On a node that is drained it stays as it is: an operator was told that the node is empty.
fn is_last_one(task: &TaskRow, row: &ChunkRow, node: &NodeId, view: &View) -> bool {
    let is_spare = matches!(task.reason, TaskReason::Surplus | TaskReason::Draining);
    let is_there = |row: &NodeRow| row.serves_reads() && !row.is_drained();
    let is_deleting = row
        .replica_on(node)
        .is_some_and(|replica| replica.state == ReplicaState::Deleting);
    task.kind == TaskKind::Delete
        && is_spare
        && is_deleting
        && row.is_referenced()
        && view.nodes.get(node).is_some_and(|row| is_there(row))
        && count(row, &[ReplicaState::Stored], view, NodeRow::serves_reads) == 0
}

#[cfg(test)]
mod tests {
    use super::{AbandonTasks, LAST_DELETION};
    use crate::command::LocationChange::{Add, Remove};
    use crate::command::{Command, FinishDrains, TaskName, TrimCopies, TrimPlan};
    use crate::response::Response;
    use crate::row::{ReplicaState, TaskReason};
    use crate::testing::{
        DRAIN, NewFile, TASK_TIME, World, assign, delete, delete_copies, locations, set_state, silence,
        unregister,
    };
    use crate::units::{Millis, Timestamp};

    fn abandon(world: &mut World, node: &str) -> bool {
        let id = world.task(node, "a").unwrap().id;
        let (node, chunk) = (node.into(), "a".into());
        let tasks = vec![TaskName { node, chunk, id }];
        match world
            .apply(Command::AbandonTasks(AbandonTasks { tasks }))
            .unwrap()
        {
            Response::TasksAbandoned { abandoned } => abandoned == 1,
            other => panic!("{other:?}"),
        }
    }

    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(assign("a", "n2")).unwrap();
        world
    }

    #[test]
    fn a_copy_is_given_up_after_its_deadline_and_not_before() {
        let mut world = world();
        assert!(!abandon(&mut world, "n2"));
        world.pass(TASK_TIME);
        assert!(abandon(&mut world, "n2"));
        assert_eq!(world.replicas("a"), ["n1"]);
        assert_eq!(world.task("n2", "a"), None);
    }

    #[test]
    fn a_copy_on_an_unregistered_node_is_given_up_at_once() {
        let mut world = world();
        world.apply(unregister("n2")).unwrap();
        assert!(abandon(&mut world, "n2"));
    }

    #[test]
    fn a_deletion_is_given_up_only_with_its_node_and_the_chunk_with_the_last() {
        let mut world = world();
        world.apply(delete("f")).unwrap();
        let forever = Timestamp::from_millis(u64::MAX);
        world.apply(delete_copies(&["a"], forever)).unwrap();
        world.pass(TASK_TIME);
        assert!(!abandon(&mut world, "n1"));
        for node in ["n1", "n2"] {
            world.apply(unregister(node)).unwrap();
            assert!(!abandon(&mut world, node), "it may come back and do it then");
        }
        world.pass(LAST_DELETION);
        for node in ["n1", "n2"] {
            assert!(abandon(&mut world, node));
        }
        assert_eq!(world.chunk("a"), None);
    }

    /// A chunk on `n1` to `n3`, and one too many on `n4`, which is told to drop it.
    fn surplus() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        let all = ["n1", "n2", "n3", "n4"];
        let file = NewFile::new("f", ["a"]).on(all).with(|file| file.wanted = 4);
        world.apply(file).unwrap();
        world.apply(locations("a", Add, all)).unwrap();
        let not_after = world.now().plus(Millis::new(1));
        let trim = TrimCopies {
            copies: vec![TrimPlan {
                chunk: "a".into(),
                node: "n4".into(),
                reason: TaskReason::Surplus,
            }],
            wanted: 3,
            not_after,
            time: TASK_TIME,
        };
        world.apply(Command::TrimCopies(trim)).unwrap();
        assert_eq!(world.chunk("a").unwrap().copies(), 3);
        world
    }

    #[test]
    fn a_copy_too_many_counts_again_when_it_may_be_the_last_one() {
        let mut world = surplus();
        for node in ["n1", "n2"] {
            world.apply(unregister(node)).unwrap();
        }
        assert!(!abandon(&mut world, "n4"), "n3 has one");
        world.apply(silence(["n3"])).unwrap();
        assert!(abandon(&mut world, "n4"));
        let chunk = world.chunk("a").unwrap();
        let copy = chunk.replica_on(&"n4".into()).unwrap();
        assert_eq!(copy.state, ReplicaState::Stored);
        assert_eq!(world.task("n4", "a"), None);
        // It was dropped after all.
        world.apply(locations("a", Remove, ["n4"])).unwrap();
        assert!(world.chunk("a").unwrap().replica_on(&"n4".into()).is_none());
    }

    #[test]
    fn a_copy_that_is_to_go_does_not_count_again_on_a_silent_or_drained_node_nor_without_a_file() {
        let mut world = surplus();
        world.apply(silence(["n1", "n2", "n3", "n4"])).unwrap();
        assert!(!abandon(&mut world, "n4"), "it cannot be read");

        let mut world = surplus();
        world.apply(silence(["n1", "n2", "n3"])).unwrap();
        world.apply(set_state("n4", DRAIN)).unwrap();
        let drained = FinishDrains {
            nodes: vec!["n4".into()],
        };
        world.apply(Command::FinishDrains(drained)).unwrap();
        assert!(
            !abandon(&mut world, "n4"),
            "an operator was told that it is empty"
        );

        let mut world = surplus();
        world.apply(silence(["n1", "n2", "n3"])).unwrap();
        world.apply(delete("f")).unwrap();
        assert!(!abandon(&mut world, "n4"));
    }
}
