//! The tasks that nodes have now, so that no node is told twice or given more than it can be told.
//!
//! Tasks that come to nothing hold their slots for minutes, and there may be any number of the less urgent ones. So each
//! class has a share of a node's slots that those below it cannot take, and deletions have slots of their own.

use std::collections::{BTreeMap, BTreeSet};

use zephyrfs_core::command::PAGE;
use zephyrfs_core::engine::{At, Page, TaskKey};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{TaskKind, TaskReason, TaskRow};

use crate::service::error::ServiceError;
use crate::service::freshness::local;
use crate::service::state::Service;

/// The most copies that a node is told to fetch at a time.
const MAX_COPIES_PER_NODE: usize = 200;

/// The most copies that a node is told to drop at a time. One that does not drop them holds up its own garbage only.
const MAX_DELETIONS_PER_NODE: usize = 100;

/// The most copies on their way at a time, of all nodes together: more wait in the chunks' own rows, where every pass
/// finds them. The same for deletions.
const MAX_TASKS: usize = 100_000;

/// How much a node, or all of them, have to do.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    copies: usize,
    /// Copies of chunks of which none is known to be stored: these may well come to nothing.
    unconfirmed: usize,
    deletions: usize,
}

impl Load {
    fn add(&mut self, kind: TaskKind, reason: TaskReason) {
        match kind {
            TaskKind::Replicate => self.copies += 1,
            TaskKind::Delete => self.deletions += 1,
        }
        self.unconfirmed += usize::from(reason == TaskReason::Unconfirmed);
    }

    /// Whether there is room for one more copy, of this many slots in all.
    const fn has_room(&self, reason: TaskReason, slots: usize) -> bool {
        let of_urgency = match reason {
            TaskReason::LastCopy => slots,
            TaskReason::FewCopies => slots * 9 / 10,
            TaskReason::UnderTarget | TaskReason::Draining => slots * 8 / 10,
            TaskReason::Unconfirmed => return self.unconfirmed < slots / 10 && self.copies < slots * 8 / 10,
            // These are reasons to delete.
            TaskReason::Unreferenced | TaskReason::Replaced => 0,
        };
        self.copies < of_urgency
    }
}

/// All tasks, as this replica has them.
#[derive(Debug, Default)]
pub(super) struct OpenTasks {
    by_key: BTreeMap<TaskKey, TaskRow>,
    /// Told in this round, and not in the rows yet when they were read.
    told: BTreeSet<TaskKey>,
    by_node: BTreeMap<NodeId, Load>,
    all: Load,
}

impl OpenTasks {
    fn add(&mut self, key: TaskKey, task: TaskRow) {
        self.count(&key.0, task.kind, task.reason);
        self.by_key.insert(key, task);
    }

    fn count(&mut self, node: &NodeId, kind: TaskKind, reason: TaskReason) {
        self.all.add(kind, reason);
        self.by_node.entry(node.clone()).or_default().add(kind, reason);
    }

    /// The tasks that were there at the beginning of the round.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TaskKey, &TaskRow)> {
        self.by_key.iter()
    }

    /// Whether a node has something to do about a chunk.
    pub(super) fn has(&self, key: &TaskKey) -> bool {
        self.by_key.contains_key(key) || self.told.contains(key)
    }

    /// Whether a node can be told to fetch one more copy, for this reason.
    pub(super) fn has_room_for_copy(&self, node: &NodeId, reason: TaskReason) -> bool {
        let load = self.by_node.get(node).copied().unwrap_or_default();
        load.has_room(reason, MAX_COPIES_PER_NODE) && self.all.has_room(reason, MAX_TASKS)
    }

    /// Whether a node can be told to drop one more copy.
    pub(super) fn has_room_for_deletion(&self, node: &NodeId) -> bool {
        let load = self.by_node.get(node).copied().unwrap_or_default();
        load.deletions < MAX_DELETIONS_PER_NODE && self.all.deletions < MAX_TASKS
    }

    /// A node is told one more.
    pub(super) fn tell(&mut self, key: TaskKey, kind: TaskKind, reason: TaskReason) {
        self.count(&key.0, kind, reason);
        self.told.insert(key);
    }
}

impl Service {
    /// Reads all tasks.
    pub(super) async fn open_tasks(&self) -> Result<OpenTasks, ServiceError> {
        let mut open = OpenTasks::default();
        let mut after = None;
        loop {
            let page = self.engine.tasks(None, after, PAGE, local());
            let At { value, .. } = self.read("the tasks", None, page).await?;
            let Page { items, next } = value;
            for (key, task) in items {
                open.add(key, task);
            }
            match next {
                Some(last) => after = Some(last),
                None => return Ok(open),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::{ChunkId, NodeId, TaskId};
    use zephyrfs_core::row::{TaskKind, TaskReason, TaskRow};
    use zephyrfs_core::units::Timestamp;

    use super::{MAX_COPIES_PER_NODE, MAX_DELETIONS_PER_NODE, OpenTasks};

    fn key(number: usize) -> (NodeId, ChunkId) {
        ("n".into(), format!("c{number}").into())
    }

    /// Tells a node to fetch copies for a reason until it has no room; how many that were.
    fn fill(open: &mut OpenTasks, reason: TaskReason) -> usize {
        let node = NodeId::from("n");
        (0..)
            .take_while(|number| {
                let has_room = open.has_room_for_copy(&node, reason);
                if has_room {
                    open.tell(key(*number), TaskKind::Replicate, reason);
                }
                has_room
            })
            .count()
    }

    #[test]
    fn what_is_less_urgent_leaves_room_for_what_is_more() {
        let mut open = OpenTasks::default();
        assert_eq!(fill(&mut open, TaskReason::Unconfirmed), MAX_COPIES_PER_NODE / 10);
        for reason in [
            TaskReason::UnderTarget,
            TaskReason::FewCopies,
            TaskReason::LastCopy,
        ] {
            assert!(fill(&mut open, reason) > 0, "{reason:?}");
        }
        assert!(!open.has_room_for_copy(&"n".into(), TaskReason::LastCopy));
        assert!(open.has_room_for_deletion(&"n".into()));
        assert!(open.has_room_for_copy(&"other".into(), TaskReason::UnderTarget));
    }

    #[test]
    fn deletions_leave_room_for_copies() {
        let deletion = TaskRow {
            id: TaskId::from_bytes([1; 16]),
            kind: TaskKind::Delete,
            reason: TaskReason::Unreferenced,
            created_at: Timestamp::EPOCH,
            deadline: Timestamp::EPOCH,
            attempt: 1,
        };
        let mut open = OpenTasks::default();
        for number in 0..MAX_DELETIONS_PER_NODE {
            assert!(open.has_room_for_deletion(&"n".into()));
            open.add(key(number), deletion);
        }
        assert!(!open.has_room_for_deletion(&"n".into()));
        assert!(open.has_room_for_copy(&"n".into(), TaskReason::LastCopy));
    }
}
