//! Tasks: what nodes are to do. Nothing creates tasks yet, so every list of them is empty.

use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::At;
use zephyrfs_core::id::{ChunkId, NodeId, TaskId};
use zephyrfs_core::units::Timestamp;

use super::error::ServiceError;
use super::page::ListPage;
use super::page::id_of_token;
use super::request::{RequestContext, TaskListQuery};
use super::state::Service;
use super::validate;

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
        let TaskListQuery { node_id, state, page } = query;
        let _node: Option<NodeId> = validate::optional_id(&self.limits, "node_id", node_id)?;
        validate::task_state(&state)?;
        validate::page_size(&self.limits, page.limit)?;
        let _after: Option<String> = id_of_token(&self.limits, &page.token)?;
        let view = self.engine.view(ReadSet::default(), context.freshness);
        let At { index, .. } = self.read("the list of tasks", context.deadline, view).await?;
        let value = ListPage {
            items: Vec::new(),
            next_page_token: None,
        };
        Ok(At { index, value })
    }
}
