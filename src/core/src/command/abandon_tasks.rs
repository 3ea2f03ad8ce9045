//! Tasks are taken back from nodes that do not do them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::TaskName;
use super::copies::put_or_delete;
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId};
use crate::response::Response;
use crate::row::{ChunkRow, ReplicaState, TaskKind, Wanted};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Takes tasks back, so that others can be told instead.
///
/// Only a task to fetch a copy is taken back from a registered node, and only after its deadline: the copy is not expected
/// any more. A task to delete one stays until the node has done it, or has been unregistered for long: until then it may
/// register again, be given a new copy, and only then come to what it was told before.
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

#[cfg(test)]
mod tests {
    use super::{AbandonTasks, LAST_DELETION};
    use crate::command::{Command, TaskName};
    use crate::response::Response;
    use crate::testing::{NewFile, TASK_TIME, World, assign, delete, delete_copies, unregister};
    use crate::units::Timestamp;

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
}
