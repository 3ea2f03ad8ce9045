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
    /// How urgent that is: `last_copy`, `few_copies`, `under_target`, `misplaced`, `drain`, `trim`, `rebalance` or `garbage`,
    /// the most urgent first.
    class: &'static str,
    /// The node that is asked first for the chunk; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_node_id: Option<String>,
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
            class,
            source,
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
            class: class.as_str(),
            source_node_id: source.map(String::from),
            attempt,
            created_at: created_at.as_unix_seconds(),
            deadline: deadline.as_unix_seconds(),
        }
    }
}
