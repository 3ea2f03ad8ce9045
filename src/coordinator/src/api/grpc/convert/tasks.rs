//! Tasks.

use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i32;
use crate::service::{ListPage, PageQuery, TaskDetails, TaskListQuery};

impl From<wire::ListTasksRequest> for TaskListQuery {
    fn from(request: wire::ListTasksRequest) -> Self {
        let wire::ListTasksRequest {
            node_id,
            state,
            limit,
            page_token,
        } = request;
        Self {
            node_id,
            state,
            page: PageQuery {
                limit: limit.into(),
                token: page_token,
            },
        }
    }
}

impl FromAnswer<ListPage<TaskDetails>> for wire::ListTasksResponse {
    fn done(page: ListPage<TaskDetails>) -> Self {
        Self {
            items: page.items.into_iter().map(task_record).collect(),
            next_page_token: page.next_page_token.unwrap_or_default(),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

pub(super) fn task_record(task: TaskDetails) -> wire::TaskRecord {
    let TaskDetails {
        id,
        kind,
        chunk,
        node,
        state,
        reason,
        class,
        source,
        attempt,
        created_at,
        deadline,
    } = task;
    wire::TaskRecord {
        id: id.to_string(),
        r#type: kind.to_owned(),
        chunk_id: chunk.into(),
        node_id: node.into(),
        state: state.to_owned(),
        reason,
        attempt: to_i32(attempt.into()),
        created_at: created_at.as_unix_seconds(),
        deadline: deadline.as_unix_seconds(),
        class: class.as_str().to_owned(),
        source_node_id: source.map(String::from).unwrap_or_default(),
    }
}
