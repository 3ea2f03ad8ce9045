//! Why something is as it is.

use zephyrfs_core::row::Usage;
use zephyrfs_core::units::Timestamp;
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use super::tasks::task_record;
use super::watch::change;
use crate::api::saturate::len_to_u32;
use crate::service::{ChunkFacts, NodeFacts, TaskCount, Why, WhyReplica};

impl FromAnswer<Why> for wire::WhyResponse {
    fn done(why: Why) -> Self {
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
            success: true,
            message: String::new(),
            summary,
            kind: kind.to_owned(),
            id,
            obstacles,
            chunk: chunk.map(why_chunk),
            node: node.map(why_node),
            tasks: tasks.into_iter().map(task_record).collect(),
            events: events.into_iter().map(change).collect(),
            events_after: events_after.get(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            ..Self::default()
        })
    }
}

/// Zero where there is no time.
fn seconds(time: Option<Timestamp>) -> i64 {
    time.map_or(0, Timestamp::as_unix_seconds)
}

fn why_chunk(facts: ChunkFacts) -> wire::WhyChunk {
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
    wire::WhyChunk {
        size: size.to_wire(),
        created_at: created_at.as_unix_seconds(),
        home: home.map(String::from).unwrap_or_default(),
        sharers,
        unreferenced_since: seconds(unreferenced_since),
        quarantine_until: seconds(quarantine_until),
        replicas: replicas.into_iter().map(why_replica).collect(),
        copies_wanted: len_to_u32(wanted),
        copies_sure: len_to_u32(sure),
        copies_missing: len_to_u32(missing),
        class: class.map_or("", |class| class.as_str()).to_owned(),
        lacking_since: seconds(lacking_since),
        waits_until: seconds(waits_until),
    }
}

fn why_replica(replica: WhyReplica) -> wire::WhyReplica {
    let WhyReplica {
        node,
        state,
        node_status,
        counts,
    } = replica;
    wire::WhyReplica {
        node_id: node.into(),
        state: state.as_str().to_owned(),
        node_status: node_status.map_or("unknown", |status| status.as_str()).to_owned(),
        counts: counts.to_owned(),
    }
}

fn why_node(facts: NodeFacts) -> wire::WhyNode {
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
    wire::WhyNode {
        status: status.to_string(),
        wanted: wanted.to_owned(),
        observed: observed.to_owned(),
        silent_since: seconds(silent_since),
        written_off,
        last_heard: seconds(last_heard),
        held_until: flapping.map(|(until, _)| until.as_unix_seconds()),
        returns: flapping.map(|(_, returns)| returns),
        not_for_new_chunks: not_for_new_chunks.unwrap_or_default(),
        not_for_repair: not_for_repair.unwrap_or_default(),
        used_permille: u32::try_from(used_permille).unwrap_or(u32::MAX),
        copies,
        bytes: bytes.to_wire(),
        tasks: tasks.into_iter().map(task_count).collect(),
        drain: drain.map(wire::GetDrainStatusResponse::done),
        in_brake,
    }
}

fn task_count(TaskCount { class, kind, tasks }: TaskCount) -> wire::WhyNodeTasks {
    wire::WhyNodeTasks {
        class: class.as_str().to_owned(),
        r#type: kind.as_str().to_owned(),
        tasks,
    }
}
