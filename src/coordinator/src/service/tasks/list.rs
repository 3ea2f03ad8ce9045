//! The list of tasks, for operators.

use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::{At, Freshness, Page, TaskKey};
use zephyrfs_core::id::{ChunkId, NodeId, TaskId};
use zephyrfs_core::repair::Class;
use zephyrfs_core::row::TaskRow;
use zephyrfs_core::units::Timestamp;

use crate::service::error::ServiceError;
use crate::service::freshness::local_at;
use crate::service::page::{ListPage, pair_of_token, token_after_pair};
use crate::service::request::{RequestContext, TaskListQuery};
use crate::service::state::Service;
use crate::service::validate::{self, TaskState};

/// A list of tasks in one state looks at so many pages before it answers with what it found and where to go on.
const MAX_PAGES: usize = 10;

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
    /// `pending`, or `issued` once the node was heard from and so was told.
    pub state: &'static str,
    /// Why it is to be done.
    pub reason: String,
    /// How urgent that is.
    pub class: Class,
    /// The node that is asked first for the chunk.
    pub source: Option<NodeId>,
    /// How often the node was given time for it.
    pub attempt: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is given more time, or taken back.
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
        let node: Option<NodeId> = validate::optional_id(&self.limits, "node_id", node_id)?;
        let state = validate::task_state(&state)?;
        let limit = validate::page_size(&self.limits, page.limit)?;
        let mut after: Option<TaskKey> = pair_of_token(&self.limits, &page.token)?;
        let mut freshness = context.freshness;
        let mut items = Vec::new();
        let mut first = None;
        for _ in 0..MAX_PAGES {
            let left = limit - items.len();
            let tasks = self.engine.tasks(node.clone(), after, left, freshness);
            let At { index, value } = self.read("the list of tasks", context.deadline, tasks).await?;
            let index = *first.get_or_insert(index);
            // What follows is read from this replica, which is now as fresh as was asked.
            freshness = local_at(index);
            let Page { items: tasks, next } = value;
            let tasks = self.with_states(tasks, &context, freshness).await?;
            items.extend(
                tasks
                    .into_iter()
                    .filter(|task| state.is_none_or(|state| state.as_str() == task.state)),
            );
            after = next;
            if after.is_none() || items.len() >= limit {
                break;
            }
        }
        let next_page_token = after.map(|(node, chunk)| token_after_pair(node.as_str(), chunk.as_str()));
        Ok(At {
            index: first.unwrap_or_default(),
            value: ListPage {
                items,
                next_page_token,
            },
        })
    }

    /// Tasks as operators see them, with what their nodes know of them.
    pub(in crate::service) async fn with_states(
        &self,
        tasks: Vec<(TaskKey, TaskRow)>,
        context: &RequestContext,
        freshness: Freshness,
    ) -> Result<Vec<TaskDetails>, ServiceError> {
        let reads = ReadSet {
            nodes: tasks.iter().map(|((node, _), _)| node.clone()).collect(),
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, freshness);
        let view = self.read("the tasks' nodes", context.deadline, view).await?.value;
        let details = |((node, chunk), task): (TaskKey, TaskRow)| {
            let heard = view
                .beats
                .get(&node)
                .is_some_and(|beat| beat.at > task.created_at);
            let state = if heard {
                TaskState::Issued
            } else {
                TaskState::Pending
            };
            TaskDetails {
                id: task.id,
                kind: task.kind.as_str(),
                chunk,
                node,
                state: state.as_str(),
                reason: task.reason.as_str().to_owned(),
                class: Class::from(task.reason),
                source: task.source,
                attempt: task.attempt,
                created_at: task.created_at,
                deadline: task.deadline,
            }
        };
        Ok(tasks.into_iter().map(details).collect())
    }
}
