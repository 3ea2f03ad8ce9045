//! The tasks that nodes have now.

use zephyrfs_core::command::PAGE;
use zephyrfs_core::engine::{At, Page, TaskKey};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::{Limits, Nodes, Workload};
use zephyrfs_core::row::{NodeRow, TaskKind, TaskReason, TaskRow};

use super::settle::{Fate, fate};
use crate::service::error::ServiceError;
use crate::service::freshness::local;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// At most so many tasks are settled in a round: more wait for the next one.
const DUE_AT_ONCE: usize = 10_000;

/// The tasks, as this replica has them: what they leave room for, and those of which something is to become.
#[derive(Debug)]
pub(super) struct OpenTasks {
    pub(super) due: Vec<(TaskKey, TaskRow, Fate)>,
    pub(super) workload: Workload,
}

impl OpenTasks {
    /// A node is told to drop a copy that no file needs, if it can be told one more thing.
    pub(super) fn tell_to_delete(&mut self, node: &NodeId) -> bool {
        let reason = TaskReason::Unreferenced;
        let has_room = self.workload.has_room_for_deletion(node, reason);
        if has_room {
            self.workload.count(node, None, TaskKind::Delete, reason, None);
        }
        has_room
    }
}

impl Service {
    /// Reads all tasks. There may be very many deletions; only those that are due are kept.
    pub(super) async fn open_tasks(
        &self,
        picture: &Picture,
        limits: Limits,
    ) -> Result<OpenTasks, ServiceError> {
        let mut open = OpenTasks {
            due: Vec::new(),
            workload: Workload::new(limits),
        };
        let now = self.engine.now();
        let mut after = None;
        loop {
            let page = self.engine.tasks(None, after, PAGE, local());
            let At { value, .. } = self.read("the tasks", None, page).await?;
            let Page { items, next } = value;
            for (key, task) in items {
                let (node, chunk): (&NodeId, &ChunkId) = (&key.0, &key.1);
                let domain = picture.topology.failure_domain(node);
                let is_at_it = picture.node(node).is_some_and(NodeRow::serves_reads);
                open.workload.add(node, chunk, domain, &task, is_at_it);
                let fate = fate(&task, picture.node(node), now);
                if fate != Fate::Stays && open.due.len() < DUE_AT_ONCE {
                    open.due.push((key, task, fate));
                }
            }
            match next {
                Some(last) => after = Some(last),
                None => return Ok(open),
            }
            tokio::task::yield_now().await;
        }
    }
}
