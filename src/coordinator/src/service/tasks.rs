//! Tasks: what nodes are to do. Nothing creates tasks yet, so every list of them is empty.

use zephyrfs_core::engine::At;
use zephyrfs_core::id::{ChunkId, NodeId, TaskId};
use zephyrfs_core::units::Timestamp;

use super::{ListPage, PageQuery, RequestContext, Service, ServiceError};

/// Which tasks an operator wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskListQuery {
    /// A node; empty means every node.
    pub node_id: String,
    /// `pending` or `issued`; empty means both.
    pub state: String,
    /// Which page.
    pub page: PageQuery,
}

/// A task as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDetails {
    /// Its id.
    pub id: TaskId,
    /// `replicate` or `delete`.
    pub kind: &'static str,
    /// The chunk it is about.
    pub chunk: ChunkId,
    /// The node that is to do it.
    pub node: NodeId,
    /// `pending` or `issued`.
    pub state: &'static str,
    /// Why it is to be done.
    pub reason: String,
    /// How often it was handed out.
    pub attempt: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is handed out again.
    pub deadline: Timestamp,
}

impl Service {
    /// Tasks that are not finished.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_tasks(
        &self,
        query: TaskListQuery,
        context: RequestContext,
    ) -> Result<At<ListPage<TaskDetails>>, ServiceError> {
        todo!()
    }
}
