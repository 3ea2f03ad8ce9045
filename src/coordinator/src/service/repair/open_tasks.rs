//! The tasks that nodes have now, so that no node is told twice or given more than it can be told.

use std::collections::{BTreeMap, BTreeSet};

use zephyrfs_core::command::PAGE;
use zephyrfs_core::engine::{At, Consistency, Freshness, Page, TaskKey};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::TaskRow;

use crate::service::error::ServiceError;
use crate::service::state::Service;
use crate::service::tasks::MAX_TASKS_PER_NODE;

/// The most tasks at a time, of all nodes together: more wait in the chunks' own rows, where every pass finds them.
const MAX_TASKS: usize = 100_000;

/// All tasks, as this replica has them.
#[derive(Debug, Default)]
pub(super) struct OpenTasks {
    by_key: BTreeMap<TaskKey, TaskRow>,
    by_node: BTreeMap<NodeId, usize>,
    /// Told in this round, and not in the rows yet when they were read.
    told: BTreeSet<TaskKey>,
}

impl OpenTasks {
    fn add(&mut self, key: TaskKey, task: TaskRow) {
        *self.by_node.entry(key.0.clone()).or_default() += 1;
        self.by_key.insert(key, task);
    }

    /// The tasks that were there at the beginning of the round.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TaskKey, &TaskRow)> {
        self.by_key.iter()
    }

    /// Whether a node has something to do about a chunk.
    pub(super) fn has(&self, key: &TaskKey) -> bool {
        self.by_key.contains_key(key) || self.told.contains(key)
    }

    /// Whether a node can be given one more.
    pub(super) fn has_room(&self, node: &NodeId) -> bool {
        let of_node = self.by_node.get(node).copied().unwrap_or_default();
        of_node < MAX_TASKS_PER_NODE && self.by_key.len() + self.told.len() < MAX_TASKS
    }

    /// A node is told one more.
    pub(super) fn tell(&mut self, key: TaskKey) {
        *self.by_node.entry(key.0.clone()).or_default() += 1;
        self.told.insert(key);
    }
}

impl Service {
    /// Reads all tasks.
    pub(super) async fn open_tasks(&self) -> Result<OpenTasks, ServiceError> {
        let local = Freshness {
            consistency: Consistency::Local,
            ..Freshness::default()
        };
        let mut open = OpenTasks::default();
        let mut after = None;
        loop {
            let page = self.engine.tasks(None, after, PAGE, local);
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
