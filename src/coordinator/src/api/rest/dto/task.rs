//! Tasks that nodes are to do.

use serde::Serialize;
use utoipa::ToSchema;

use crate::service::TaskDetails;

/// A task that is not finished.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct TaskRecord {
    id: String,
    /// `replicate` or `delete`.
    #[serde(rename = "type")]
    kind: &'static str,
    chunk_id: String,
    /// The node that is to do it.
    node_id: String,
    /// `pending` or `issued`.
    state: &'static str,
    /// Why it is to be done.
    reason: String,
    /// How often it was handed out.
    attempt: u32,
    /// Unix seconds.
    created_at: i64,
    /// When it is handed out again, in Unix seconds.
    deadline: i64,
}

impl From<TaskDetails> for TaskRecord {
    fn from(task: TaskDetails) -> Self {
        let TaskDetails {
            id,
            kind,
            chunk,
            node,
            state,
            reason,
            attempt,
            created_at,
            deadline,
        } = task;
        Self {
            id: id.to_string(),
            kind,
            chunk_id: chunk.into(),
            node_id: node.into(),
            state,
            reason,
            attempt,
            created_at: created_at.as_unix_seconds(),
            deadline: deadline.as_unix_seconds(),
        }
    }
}
