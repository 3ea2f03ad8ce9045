//! Why a node is as it is.

use std::collections::BTreeMap;
use std::time::Instant;

use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::{At, Page, TaskKey};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::placement::{Exclusion, Purpose};
use zephyrfs_core::repair::{Class, Nodes as _, progress};
use zephyrfs_core::row::{NodeStatus, Observed, TaskKind, TaskRow, Usage, Wanted};
use zephyrfs_core::units::{AppliedIndex, ByteSize, Timestamp};

use super::words::time;
use super::{MAX_TASKS, Why};
use crate::service::drains::DrainStatus;
use crate::service::error::ServiceError;
use crate::service::freshness::local_at;
use crate::service::lack::stopped;
use crate::service::nodes::NodeDetails;
use crate::service::picture::Picture;
use crate::service::request::RequestContext;
use crate::service::state::Service;
use crate::service::watch::Recent;

/// Tasks of a node read at a time.
const PAGE: usize = 1_000;

/// So many pages of a node's tasks are counted. It has slots for far fewer.
const MAX_PAGES: usize = 100;

/// What nothing is too large for: what is asked is whether a node takes anything.
const ANYTHING: ByteSize = ByteSize::new(1);

/// A node's state and what lies on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// The one word for its state.
    pub status: NodeStatus,
    /// `in_service`, `maintenance`, `draining` or `removed`.
    pub wanted: &'static str,
    /// `active` or `inactive`.
    pub observed: &'static str,
    /// Since when it is silent.
    pub silent_since: Option<Timestamp>,
    /// Whether an operator said not to wait for it.
    pub written_off: bool,
    /// When it was last heard.
    pub last_heard: Option<Timestamp>,
    /// While it is held down: until when, and after how many returns.
    pub flapping: Option<(Timestamp, u32)>,
    /// Why no new chunk is placed on it now.
    pub not_for_new_chunks: Option<String>,
    /// Why no copy that repair makes is.
    pub not_for_repair: Option<String>,
    /// The share of its space in use, in permille.
    pub used_permille: u64,
    /// Stored copies that lie on it.
    pub usage: Usage,
    /// Its tasks.
    pub tasks: Vec<TaskCount>,
    /// How far its drain is.
    pub drain: Option<DrainStatus>,
    /// Whether repair is stopped because it and others fell silent together.
    pub in_brake: bool,
}

/// So many tasks of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCount {
    /// How urgent they are.
    pub class: Class,
    /// What is to be done.
    pub kind: TaskKind,
    /// How many.
    pub tasks: u64,
}

impl Service {
    /// Why a node is as it is.
    pub(super) async fn why_node(
        &self,
        id: String,
        context: RequestContext,
    ) -> Result<At<Why>, ServiceError> {
        let At {
            index,
            value: details,
        } = self.node(id, context.clone()).await?;
        let picture = self.nodes_read_anew(local_at(index), context.deadline).await?;
        let (facts, tasks) = self
            .node_facts(&details, &picture, index, context.deadline)
            .await?;
        let tasks = self.with_states(tasks, &context, local_at(index)).await?;
        let id = details.id;
        let Recent { changes, after } = self.recent_changes(&["node", "task"], id.as_str()).await?;
        let obstacles = obstacles(&details.node.wanted, &facts, &picture);
        let value = Why {
            summary: summary(&id, &facts, &obstacles),
            kind: "node",
            id: id.into(),
            obstacles,
            chunk: None,
            node: Some(facts),
            tasks,
            events: changes,
            events_after: after,
        };
        Ok(At { index, value })
    }

    /// What there is to say of a node, and its first tasks.
    pub(super) async fn node_facts(
        &self,
        details: &NodeDetails,
        picture: &Picture,
        index: AppliedIndex,
        deadline: Option<Instant>,
    ) -> Result<(NodeFacts, Vec<(TaskKey, TaskRow)>), ServiceError> {
        let NodeDetails {
            id,
            node,
            beat,
            flapping,
        } = details;
        let reads = ReadSet {
            usage: vec![id.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, local_at(index));
        let view = self.read("what lies on the node", deadline, view).await?;
        let usage = view.value.usage.get(id).copied().unwrap_or_default();
        let (tasks, first) = self.count_tasks(id, index, deadline).await?;
        let candidate = picture.candidates.iter().find(|candidate| candidate.id == *id);
        let exclusion = |purpose| {
            let late = picture.is_late(id).then_some(Exclusion::Late);
            let found = candidate.and_then(|candidate| candidate.exclusion(ANYTHING, purpose));
            found
                .or(late.filter(|_| purpose == Purpose::Repair))
                .map(|exclusion| exclusion.to_string())
        };
        let (silent_since, written_off) = match node.observed {
            Observed::Active => (None, false),
            Observed::Inactive { since, written_off } => (Some(since), written_off),
        };
        let facts = NodeFacts {
            status: details.status(),
            wanted: match node.wanted {
                Wanted::InService => "in_service",
                Wanted::Maintenance { .. } => "maintenance",
                Wanted::Draining(_) => "draining",
                Wanted::Removed { .. } => "removed",
            },
            observed: if silent_since.is_some() {
                "inactive"
            } else {
                "active"
            },
            silent_since,
            written_off,
            last_heard: beat.map(|beat| beat.at),
            flapping: *flapping,
            not_for_new_chunks: exclusion(Purpose::New),
            not_for_repair: exclusion(Purpose::Repair),
            used_permille: candidate.map_or(0, |candidate| candidate.used_permille()),
            usage,
            tasks,
            drain: node.drain().map(|drain| DrainStatus {
                node: id.clone(),
                status: details.status(),
                drain: *drain,
                progress: progress(drain, usage, self.engine.now()),
                left: Vec::new(),
            }),
            in_brake: picture
                .brake
                .as_ref()
                .is_some_and(|brake| brake.silent.contains(id)),
        };
        Ok((facts, first))
    }

    /// A node's tasks by class and kind, and the first of them.
    async fn count_tasks(
        &self,
        node: &NodeId,
        index: AppliedIndex,
        deadline: Option<Instant>,
    ) -> Result<(Vec<TaskCount>, Vec<(TaskKey, TaskRow)>), ServiceError> {
        let (mut counts, mut first) = (BTreeMap::<(Class, TaskKind), u64>::new(), Vec::new());
        let mut after = None;
        for _ in 0..MAX_PAGES {
            let tasks = self
                .engine
                .tasks(Some(node.clone()), after, PAGE, local_at(index));
            let Page { items, next } = self.read("the node's tasks", deadline, tasks).await?.value;
            for (key, task) in items {
                *counts.entry((Class::from(task.reason), task.kind)).or_default() += 1;
                if first.len() < MAX_TASKS {
                    first.push((key, task));
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        let counts = counts
            .into_iter()
            .map(|((class, kind), tasks)| TaskCount { class, kind, tasks });
        Ok((counts.collect(), first))
    }
}

fn obstacles(wanted: &Wanted, facts: &NodeFacts, picture: &Picture) -> Vec<String> {
    let mut obstacles = Vec::new();
    match wanted {
        Wanted::InService => {}
        Wanted::Maintenance { until } => {
            obstacles.push(format!("it is in maintenance until {}", time(*until)))
        }
        Wanted::Draining(drain) => obstacles.push(match (drain.done_at, &facts.drain) {
            (Some(at), _) => format!("it is drained since {} and can be switched off", time(at)),
            (None, Some(DrainStatus { progress, .. })) => format!(
                "it is draining: {}.{} % done, {} copies are left",
                progress.done_permille / 10,
                progress.done_permille % 10,
                progress.left.copies
            ),
            (None, None) => "it is draining".to_owned(),
        }),
        Wanted::Removed { at, reason, .. } if reason.is_empty() => {
            obstacles.push(format!("it was unregistered at {}", time(*at)));
        }
        Wanted::Removed { at, reason, .. } => {
            obstacles.push(format!("it was unregistered at {}: {reason}", time(*at)));
        }
    }
    if let Some(since) = facts.silent_since {
        let heard = facts.last_heard.map_or("never heard".to_owned(), |at| {
            format!("last heard at {}", time(at))
        });
        obstacles.push(format!("it is silent since {}, {heard}", time(since)));
        if facts.written_off {
            obstacles.push("an operator said not to wait for it".to_owned());
        }
    }
    if let Some(brake) = picture.brake.as_ref().filter(|_| facts.in_brake) {
        obstacles.push(stopped(brake));
    }
    if let Some((until, returns)) = facts.flapping {
        obstacles.push(format!(
            "it came back {returns} times in a row and did not stay; held down until {}",
            time(until)
        ));
    }
    if let Some(reason) = &facts.not_for_new_chunks {
        obstacles.push(format!("no new chunk is placed on it: {reason}"));
    }
    if let Some(reason) = facts
        .not_for_repair
        .as_ref()
        .filter(|reason| facts.not_for_new_chunks.as_ref() != Some(reason))
    {
        obstacles.push(format!("repair makes no copy on it: {reason}"));
    }
    obstacles
}

fn summary(id: &NodeId, facts: &NodeFacts, obstacles: &[String]) -> String {
    let NodeFacts { status, usage, .. } = facts;
    let obstacle = obstacles
        .first()
        .map_or("nothing speaks against placing chunks on it", String::as_str);
    format!(
        "Node {id} is {status}, and {} copies of {} lie on it; {obstacle}.",
        usage.copies, usage.bytes
    )
}
