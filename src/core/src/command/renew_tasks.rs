//! Nodes get more time for their tasks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, NodeId, TaskId};
use crate::response::Response;
use crate::row::TaskRow;
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Gives nodes more time for tasks whose deadline has passed: the more, the more often that was needed, so that a node
/// that makes no progress costs little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewTasks {
    /// The tasks. One that ended meanwhile, or became another, is left alone.
    pub tasks: Vec<TaskName>,
    /// How long the node has at the first attempt; at the n-th it has n times as long.
    pub time: Millis,
}

/// Which task is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskName {
    /// Its node.
    pub node: NodeId,
    /// Its chunk.
    pub chunk: ChunkId,
    /// Its id.
    pub id: TaskId,
}

impl TaskName {
    /// Where its row is.
    pub(super) fn key(&self) -> (NodeId, ChunkId) {
        (self.node.clone(), self.chunk.clone())
    }

    /// The task, if it is still the one that is meant.
    pub(super) fn find(&self, view: &View) -> Option<TaskRow> {
        let task = view.tasks.get(&self.key())?;
        (task.id == self.id).then(|| task.clone())
    }
}

impl RenewTasks {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            tasks: self.tasks.iter().map(TaskName::key).collect(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut mutations = Vec::new();
        for name in self.tasks.iter().collect::<BTreeSet<_>>() {
            let Some(task) = name.find(view).filter(|task| task.deadline <= context.now) else {
                continue;
            };
            let attempt = task.attempt.saturating_add(1);
            let renewed = TaskRow {
                attempt,
                deadline: context.now.plus(self.time.times(attempt)),
                ..task
            };
            mutations.push(Mutation::PutTask(name.node.clone(), name.chunk.clone(), renewed));
        }
        let renewed = mutations.len() as u64;
        Effects {
            mutations,
            response: Response::TasksRenewed { renewed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RenewTasks, TaskName};
    use crate::command::Command;
    use crate::id::TaskId;
    use crate::response::Response;
    use crate::testing::{NewFile, TASK_TIME, World, assign};
    use crate::units::Millis;

    #[test]
    fn only_a_task_whose_time_is_over_gets_more_and_each_time_more_than_before() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(assign("a", "n2")).unwrap();
        let first = world.task("n2", "a").unwrap();
        let name = |id| TaskName {
            node: "n2".into(),
            chunk: "a".into(),
            id,
        };
        let renew = |id| {
            Command::RenewTasks(RenewTasks {
                tasks: vec![name(id), name(id)],
                time: TASK_TIME,
            })
        };
        let renewed = |renewed| Ok(Response::TasksRenewed { renewed });
        world.pass(Millis::new(TASK_TIME.get() - 1));
        assert_eq!(world.apply(renew(first.id)), renewed(0));
        world.pass(Millis::new(1));
        assert_eq!(
            world.apply(renew(TaskId::from_bytes([9; 16]))),
            renewed(0),
            "another"
        );
        assert_eq!(world.apply(renew(first.id)), renewed(1));
        let second = world.task("n2", "a").unwrap();
        assert_eq!((second.id, second.attempt), (first.id, 2));
        assert_eq!(second.deadline, world.now().plus(TASK_TIME.times(2)));
    }
}
