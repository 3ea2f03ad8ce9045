//! Why something is as it is.

use serde::Serialize;
use utoipa::ToSchema;
use zephyrfs_core::row::Usage;

use super::drain::DrainRecord;
use super::task::TaskRecord;
use super::time::rfc3339;
use super::watch::WatchEvent;
use crate::api::saturate::to_i64;
use crate::service::{ChunkFacts, NodeFacts, TaskCount, Why, WhyReplica};

/// Why something is as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WhyAnswer {
    /// All of it in one sentence.
    summary: String,
    /// `chunk`, `node` or `task`.
    kind: &'static str,
    id: String,
    /// What keeps it from being as it should be, and what is being waited for.
    obstacles: Vec<String>,
    /// Of a chunk, and of a task's chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk: Option<WhyChunk>,
    /// Of a node, and of a task's node.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<WhyNode>,
    /// Its tasks, or the task itself; at most 100.
    tasks: Vec<TaskRecord>,
    /// What happened to it lately, the oldest first; at most 20.
    events: Vec<WatchEvent>,
    /// Events are known from after this index on.
    events_after: u64,
}

/// A chunk and what repair makes of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WhyChunk {
    /// Bytes.
    size: i64,
    #[schema(format = DateTime)]
    created_at: String,
    /// The file it is shown under; null if no file holds it.
    home: Option<String>,
    /// How many files hold it besides.
    sharers: u32,
    /// Since when no file holds it; null if one does, and in quarantine.
    #[schema(format = DateTime)]
    unreferenced_since: Option<String>,
    /// Until when it is kept though nobody knows what it belongs to; null of all others.
    #[schema(format = DateTime)]
    quarantine_until: Option<String>,
    replicas: Vec<WhyReplicaRecord>,
    copies_wanted: usize,
    /// On nodes that are in service and heard from.
    copies_sure: usize,
    /// Copies that are yet to be told to nodes.
    copies_missing: usize,
    /// How urgent the lack is, as `class` of a task; null if nothing is lacking.
    class: Option<&'static str>,
    /// Null if nothing is lacking.
    #[schema(format = DateTime)]
    lacking_since: Option<String>,
    /// Until when a silent node is waited for; null if none is.
    #[schema(format = DateTime)]
    waits_until: Option<String>,
}

/// A copy.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WhyReplicaRecord {
    node_id: String,
    /// `stored`, `assigned` or `deleting`.
    state: &'static str,
    /// The node's status; null if the node is not known.
    node_status: Option<&'static str>,
    /// What the copy counts for, in words.
    counts: &'static str,
}

/// A node's state and what lies on it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WhyNode {
    /// active, inactive, maintenance or draining.
    status: &'static str,
    /// What is wanted of it: `in_service`, `maintenance`, `draining` or `removed`.
    wanted: &'static str,
    /// What its heartbeats say: `active` or `inactive`.
    observed: &'static str,
    /// Null if it is not silent.
    #[schema(format = DateTime)]
    silent_since: Option<String>,
    /// Whether an operator said not to wait for it.
    written_off: bool,
    /// Null if it was never heard.
    #[schema(format = DateTime)]
    last_heard: Option<String>,
    /// Until when it is held down because it comes and goes; null if it is not.
    #[schema(format = DateTime)]
    held_until: Option<String>,
    /// Of the same: how many times in a row it came back and did not stay; null if it is not held down.
    returns: Option<u32>,
    /// Why no new chunk is placed on it now; null where nothing speaks against it.
    not_for_new_chunks: Option<String>,
    /// The same for copies that repair makes.
    not_for_repair: Option<String>,
    /// The share of its space in use, with one decimal.
    used_percent: f64,
    /// Stored copies that lie on it, of chunks that files hold.
    copies: i64,
    /// Their bytes.
    bytes: i64,
    /// Its tasks by class and type.
    tasks: Vec<WhyNodeTasks>,
    /// Null of a node that does not drain; without chunks.
    drain: Option<DrainRecord>,
    /// Whether repair is stopped because it and others fell silent together.
    in_brake: bool,
}

/// So many tasks of a class and type.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WhyNodeTasks {
    class: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    tasks: u64,
}

impl From<Why> for WhyAnswer {
    fn from(why: Why) -> Self {
        let Why {
            summary,
            kind,
            id,
            obstacles,
            chunk,
            node,
            tasks,
            events,
            events_after,
        } = why;
        Self {
            summary,
            kind,
            id,
            obstacles,
            chunk: chunk.map(WhyChunk::from),
            node: node.map(WhyNode::from),
            tasks: tasks.into_iter().map(TaskRecord::from).collect(),
            events: events.into_iter().map(WatchEvent::from).collect(),
            events_after: events_after.get(),
        }
    }
}

impl From<ChunkFacts> for WhyChunk {
    fn from(facts: ChunkFacts) -> Self {
        let ChunkFacts {
            size,
            created_at,
            home,
            sharers,
            unreferenced_since,
            quarantine_until,
            replicas,
            wanted,
            sure,
            missing,
            class,
            lacking_since,
            waits_until,
        } = facts;
        Self {
            size: size.to_wire(),
            created_at: rfc3339(created_at),
            home: home.map(String::from),
            sharers,
            unreferenced_since: unreferenced_since.map(rfc3339),
            quarantine_until: quarantine_until.map(rfc3339),
            replicas: replicas.into_iter().map(WhyReplicaRecord::from).collect(),
            copies_wanted: wanted,
            copies_sure: sure,
            copies_missing: missing,
            class: class.map(|class| class.as_str()),
            lacking_since: lacking_since.map(rfc3339),
            waits_until: waits_until.map(rfc3339),
        }
    }
}

impl From<WhyReplica> for WhyReplicaRecord {
    fn from(replica: WhyReplica) -> Self {
        let WhyReplica {
            node,
            state,
            node_status,
            counts,
        } = replica;
        Self {
            node_id: node.into(),
            state: state.as_str(),
            node_status: node_status.map(|status| status.as_str()),
            counts,
        }
    }
}

impl From<NodeFacts> for WhyNode {
    fn from(facts: NodeFacts) -> Self {
        let NodeFacts {
            status,
            wanted,
            observed,
            silent_since,
            written_off,
            last_heard,
            flapping,
            not_for_new_chunks,
            not_for_repair,
            used_permille,
            usage: Usage { copies, bytes },
            tasks,
            drain,
            in_brake,
        } = facts;
        Self {
            status: status.as_str(),
            wanted,
            observed,
            silent_since: silent_since.map(rfc3339),
            written_off,
            last_heard: last_heard.map(rfc3339),
            held_until: flapping.map(|(until, _)| rfc3339(until)),
            returns: flapping.map(|(_, returns)| returns),
            not_for_new_chunks,
            not_for_repair,
            used_percent: used_permille as f64 / 10.0,
            copies: to_i64(copies),
            bytes: bytes.to_wire(),
            tasks: tasks.into_iter().map(WhyNodeTasks::from).collect(),
            drain: drain.map(DrainRecord::from),
            in_brake,
        }
    }
}

impl From<TaskCount> for WhyNodeTasks {
    fn from(TaskCount { class, kind, tasks }: TaskCount) -> Self {
        Self {
            class: class.as_str(),
            kind: kind.as_str(),
            tasks,
        }
    }
}
