//! The tasks that nodes have now.

use zephyrfs_core::command::PAGE;
use zephyrfs_core::engine::{At, Page, TaskKey};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::{Limits, Workload};
use zephyrfs_core::row::{TaskKind, TaskReason, TaskRow};

use crate::service::error::ServiceError;
use crate::service::freshness::local;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// All tasks, as this replica has them, and what they leave room for.
#[derive(Debug)]
pub(super) struct OpenTasks {
    pub(super) all: Vec<(TaskKey, TaskRow)>,
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
    /// Reads all tasks.
    pub(super) async fn open_tasks(&self, picture: &Picture) -> Result<OpenTasks, ServiceError> {
        let mut open = OpenTasks {
            all: Vec::new(),
            workload: Workload::new(Limits::default()),
        };
        let mut after = None;
        loop {
            let page = self.engine.tasks(None, after, PAGE, local());
            let At { value, .. } = self.read("the tasks", None, page).await?;
            let Page { items, next } = value;
            for (key, task) in items {
                let (node, chunk): (&NodeId, &ChunkId) = (&key.0, &key.1);
                let domain = picture.topology.failure_domain(node);
                open.workload.add(node, chunk, domain, &task);
                open.all.push((key, task));
            }
            match next {
                Some(last) => after = Some(last),
                None => return Ok(open),
            }
            tokio::task::yield_now().await;
        }
    }
}
