//! Tasks whose time is over: given more of it, or taken back.

use std::collections::BTreeSet;

use zephyrfs_core::command::{AbandonTasks, LAST_DELETION, PAGE, RenewTasks, TaskName};
use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::repair::{Memory, Nodes};
use zephyrfs_core::row::{ChunkRow, NodeRow, ReplicaState, TaskKind, TaskReason, TaskRow, Wanted};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, ReadSet, Response};

use super::tasks::OpenTasks;
use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::freshness::local;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// A node that was given time for a copy so often, and did not bring it, does not get it any more. The time grows with
/// each attempt, so with the defaults that is after ten minutes.
const MAX_ATTEMPTS: u32 = 5;

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    Renewed,
    Abandoned,
}

impl Service {
    /// Renews tasks whose time is over, and takes back those that their node will not do.
    pub(super) async fn settle_tasks(
        &self,
        picture: &Picture,
        open: &OpenTasks,
        memory: &mut Memory,
    ) -> Result<(), ServiceError> {
        let names = |wanted: Fate| -> Vec<TaskName> {
            let due = open.due.iter().filter(|(_, _, fate)| *fate == wanted);
            due.map(|(key, task, _)| name_of(key, task)).collect()
        };
        let (renewed, abandoned) = (names(Fate::Renewed), names(Fate::Abandoned));
        let failed = self.to_blame(picture, open).await?;
        for tasks in renewed.chunks(PAGE) {
            let command = Command::RenewTasks(RenewTasks {
                tasks: tasks.to_vec(),
                time: self.task_time(),
            });
            let Response::TasksRenewed { renewed } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("renew_tasks"));
            };
            tracing::debug!(renewed, "Nodes have more time for their tasks");
        }
        for tasks in abandoned.chunks(PAGE) {
            let tasks = tasks.to_vec();
            let command = Command::AbandonTasks(AbandonTasks { tasks });
            let Response::TasksAbandoned { abandoned } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("abandon_tasks"));
            };
            tracing::info!(abandoned, "Tasks taken back from nodes that did not do them");
        }
        for node in failed {
            memory.failed(&node, self.engine.now(), self.task_time());
        }
        Ok(())
    }

    /// The nodes that could have brought what they were told to fetch. One that is at rest is not to blame, nor is one that
    /// had nobody to fetch the chunk from, or was not told any more because no file holds it.
    async fn to_blame(&self, picture: &Picture, open: &OpenTasks) -> Result<BTreeSet<NodeId>, ServiceError> {
        let takes = |node: &NodeId| picture.node(node).is_some_and(NodeRow::takes_replicas);
        let suspect: Vec<&TaskKey> = open
            .due
            .iter()
            .filter(|((node, _), task, fate)| {
                let is_copy = task.kind == TaskKind::Replicate && task.reason != TaskReason::Unconfirmed;
                *fate == Fate::Abandoned && is_copy && takes(node)
            })
            .map(|(key, _, _)| key)
            .collect();
        let mut to_blame = BTreeSet::new();
        for page in suspect.chunks(PAGE) {
            let reads = ReadSet {
                chunks: page.iter().map(|(_, chunk)| chunk.clone()).collect(),
                ..ReadSet::default()
            };
            let view = self.engine.view(reads, local());
            let chunks = self.read("the chunks of tasks", None, view).await?.value.chunks;
            let could_bring = |(node, chunk): &&&TaskKey| {
                chunks
                    .get(chunk)
                    .is_some_and(|row| row.is_referenced() && has_source(row, node, picture))
            };
            to_blame.extend(page.iter().filter(could_bring).map(|(node, _)| node.clone()));
        }
        Ok(to_blame)
    }
}

/// Whether a node other than `node` is known to store the chunk and can be asked for it.
fn has_source(row: &ChunkRow, node: &NodeId, picture: &Picture) -> bool {
    row.replicas.iter().any(|replica| {
        replica.state == ReplicaState::Stored
            && replica.node != *node
            && !picture.is_late(&replica.node)
            && picture.node(&replica.node).is_some_and(NodeRow::serves_reads)
    })
}

fn name_of((node, chunk): &TaskKey, task: &TaskRow) -> TaskName {
    TaskName {
        node: node.clone(),
        chunk: chunk.clone(),
        id: task.id,
    }
}

/// What becomes of a task of a node. One that is not known yet registered a moment ago.
pub(super) fn fate(task: &TaskRow, node: Option<&NodeRow>, now: Timestamp) -> Fate {
    let Some(node) = node else { return Fate::Stays };
    if let Wanted::Removed { at, .. } = node.wanted {
        return match task.kind {
            // It may come back and only then do what it was told.
            TaskKind::Delete if now.since(at) < LAST_DELETION => Fate::Stays,
            TaskKind::Delete | TaskKind::Replicate => Fate::Abandoned,
        };
    }
    if now < task.deadline {
        return Fate::Stays;
    }
    match task.kind {
        // As long as the node may come back, so may its copy.
        TaskKind::Delete => Fate::Renewed,
        TaskKind::Replicate if task.attempt < MAX_ATTEMPTS && node.takes_replicas() => Fate::Renewed,
        TaskKind::Replicate => Fate::Abandoned,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zephyrfs_core::id::TaskId;
    use zephyrfs_core::row::{NodeRow, Observed, TaskKind, TaskReason, TaskRow, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};

    use super::{Fate, LAST_DELETION, MAX_ATTEMPTS, fate};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    const SILENT: Observed = Observed::Inactive {
        since: NOW,
        written_off: false,
    };

    fn task(kind: TaskKind, attempt: u32) -> TaskRow {
        TaskRow {
            id: TaskId::from_bytes([1; 16]),
            kind,
            reason: TaskReason::LastCopy,
            created_at: Timestamp::EPOCH,
            deadline: NOW,
            attempt,
            source: None,
            size: ByteSize::ZERO,
        }
    }

    fn node(wanted: Wanted, observed: Observed) -> NodeRow {
        NodeRow {
            addresses: Vec::new(),
            capacity: ByteSize::ZERO,
            capabilities: BTreeMap::new(),
            registered_at: Timestamp::EPOCH,
            wanted,
            observed,
            contact: zephyrfs_core::row::Contact::default(),
        }
    }

    #[test]
    fn a_task_stays_until_its_time_is_over_and_ends_with_its_node() {
        let active = node(Wanted::InService, Observed::Active);
        let silent = node(Wanted::InService, SILENT);
        let reason = String::new();
        let gone = node(
            Wanted::Removed {
                at: NOW,
                reason,
                drain: None,
            },
            SILENT,
        );
        let before = Timestamp::from_millis(999);
        for kind in TaskKind::ALL {
            assert_eq!(fate(&task(kind, 1), Some(&active), before), Fate::Stays);
            assert_eq!(fate(&task(kind, 1), Some(&active), NOW), Fate::Renewed);
            assert_eq!(fate(&task(kind, 1), None, NOW), Fate::Stays);
        }
        assert_eq!(
            fate(&task(TaskKind::Replicate, 1), Some(&gone), before),
            Fate::Abandoned
        );
        assert_eq!(fate(&task(TaskKind::Delete, 1), Some(&gone), NOW), Fate::Stays);
        let later = NOW.plus(LAST_DELETION);
        assert_eq!(
            fate(&task(TaskKind::Delete, 1), Some(&gone), later),
            Fate::Abandoned
        );
        let often = |kind| task(kind, MAX_ATTEMPTS);
        assert_eq!(
            fate(&often(TaskKind::Replicate), Some(&active), NOW),
            Fate::Abandoned
        );
        assert_eq!(
            fate(&task(TaskKind::Replicate, 1), Some(&silent), NOW),
            Fate::Abandoned
        );
        assert_eq!(fate(&often(TaskKind::Delete), Some(&active), NOW), Fate::Renewed);
        assert_eq!(fate(&often(TaskKind::Delete), Some(&silent), NOW), Fate::Renewed);
    }
}
