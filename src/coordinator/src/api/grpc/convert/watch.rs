//! What changes.

use zephyrfs_core::units::{ByteSize, Timestamp};
use zephyrfs_proto::coordinator as wire;

use crate::api::saturate::{to_i32, to_i64};
use crate::service::{ChangeDetails, ChangedReplica, WatchQuery, Watched};

impl From<wire::WatchRequest> for WatchQuery {
    fn from(request: wire::WatchRequest) -> Self {
        let wire::WatchRequest { after, kinds, ids } = request;
        Self { after, kinds, ids }
    }
}

impl From<Watched> for wire::WatchEvent {
    fn from(item: Watched) -> Self {
        let Watched {
            resume_after,
            details,
        } = item;
        Self {
            resume_after: resume_after.get(),
            ..details.map(|details| change(*details)).unwrap_or_default()
        }
    }
}

pub(super) fn change(details: ChangeDetails) -> wire::WatchEvent {
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
    let word = |word: Option<&str>| word.unwrap_or_default().to_owned();
    wire::WatchEvent {
        resume_after: 0,
        index: index.get(),
        at: at.as_unix_seconds(),
        kind: kind.to_owned(),
        change: change.to_owned(),
        node_id: node.map(String::from).unwrap_or_default(),
        file_id: file.map(String::from).unwrap_or_default(),
        chunk_id: chunk.map(String::from).unwrap_or_default(),
        task_id: task.map(|id| id.to_string()).unwrap_or_default(),
        status: word(status),
        previous_status: word(previous_status),
        reason: reason.unwrap_or_default(),
        name: name.unwrap_or_default(),
        size: size.map_or(0, ByteSize::to_wire),
        chunk_count: chunk_count.map_or(0, |count| to_i64(count as u64)),
        replicas: replicas.unwrap_or_default().into_iter().map(replica).collect(),
        task_type: word(task_type),
        attempt: attempt.map_or(0, |attempt| to_i32(attempt.into())),
        deadline: deadline.map_or(0, Timestamp::as_unix_seconds),
        term: term.unwrap_or_default(),
        voters: voters.unwrap_or_default(),
        learners: learners.unwrap_or_default(),
    }
}

fn replica(ChangedReplica { node, state }: ChangedReplica) -> wire::WatchedReplica {
    wire::WatchedReplica {
        node_id: node.into(),
        state: state.to_owned(),
    }
}
