//! What changes.

use serde::Serialize;
use utoipa::ToSchema;

use super::time::rfc3339;
use crate::api::error::verdict;
use crate::service::{ChangeDetails, ChangedReplica, ServiceError};

/// A change: the data of an event that is called after its kind. Which fields there are depends on `change`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WatchEvent {
    /// Where in the order it happened.
    index: u64,
    /// RFC 3339, UTC.
    at: String,
    /// `node`, `file`, `chunk`, `task` or `cluster`.
    pub(in crate::api::rest) kind: &'static str,
    /// Of a node: `registered`, `status_changed`, `updated`, `unregistered`. Of a file: `registered`, `replaced`, `updated`,
    /// `deleted`. Of a chunk: `created`, `replaced`, `held` (by a file again), `released` (by the last file),
    /// `replicas_changed`, `deleted`. Of a task: `made`, `renewed`, `ended`. Of the coordinator's own replicas: `term_began`,
    /// `members_changed`.
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
    /// A node's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// What it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<&'static str>,
    /// Why a node was unregistered, or a task made.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A file's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The length of a file or chunk, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<i64>,
    /// How many chunks a file has.
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_count: Option<usize>,
    /// All replicas of a chunk, as they are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<Vec<WatchedReplica>>,
    /// `replicate` or `delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    /// How often a node was given time for a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Until when a task is the node's alone, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
    /// The term of a leader of the coordinator.
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<u64>,
    /// The coordinator's replicas that vote.
    #[serde(skip_serializing_if = "Option::is_none")]
    voters: Option<Vec<String>>,
    /// Those that learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    learners: Option<Vec<String>>,
}

/// A replica of a chunk.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WatchedReplica {
    node_id: String,
    /// `assigned`, `stored` or `deleting`.
    state: &'static str,
}

/// An event as it comes.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what axum writes")]
pub(in crate::api::rest) struct EventForm {
    /// Where to go on, if this is the last that came: an index.
    id: Option<String>,
    /// The kind of the change, or `error`.
    event: Option<String>,
    /// JSON: a `WatchEvent`, or of the event that is called `error` a `WatchError`.
    data: Option<String>,
}

/// The data of an event.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::api::rest) enum WatchData {
    /// Of all but the last.
    Change(Box<WatchEvent>),
    /// Of the last one, if the coordinator ends the stream.
    Error(WatchError),
}

/// Why a watch ended: the data of its last event, which is called `error`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WatchError {
    /// A short text that is the same for every failure of a kind.
    error: &'static str,
    /// What exactly, and how to go on.
    details: String,
    /// If what was to come next is forgotten: the least index to go on from, after the state was read anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_index: Option<u64>,
}

impl From<ChangeDetails> for WatchEvent {
    fn from(details: ChangeDetails) -> Self {
        let ChangeDetails {
            index,
            at,
            kind,
            change,
            node,
            file,
            chunk,
            task,
            status,
            previous_status,
            reason,
            name,
            size,
            chunk_count,
            replicas,
            task_type,
            attempt,
            deadline,
            term,
            voters,
            learners,
        } = details;
        Self {
            index: index.get(),
            at: rfc3339(at),
            kind,
            change,
            node_id: node.map(String::from),
            file_id: file.map(String::from),
            chunk_id: chunk.map(String::from),
            task_id: task.map(|id| id.to_string()),
            status,
            previous_status,
            reason,
            name,
            size: size.map(|size| size.to_wire()),
            chunk_count,
            replicas: replicas.map(|replicas| replicas.into_iter().map(WatchedReplica::from).collect()),
            task_type,
            attempt,
            deadline: deadline.map(|deadline| deadline.as_unix_seconds()),
            term,
            voters,
            learners,
        }
    }
}

impl From<ChangedReplica> for WatchedReplica {
    fn from(ChangedReplica { node, state }: ChangedReplica) -> Self {
        Self {
            node_id: node.into(),
            state,
        }
    }
}

impl From<&ServiceError> for WatchError {
    fn from(error: &ServiceError) -> Self {
        let oldest_index = match error {
            ServiceError::TooOld { oldest, .. } => Some(oldest.get()),
            _ => None,
        };
        Self {
            error: verdict(error).text,
            details: error.to_string(),
            oldest_index,
        }
    }
}
