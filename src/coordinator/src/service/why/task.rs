//! Why a task is as it is.

use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::{At, Page, TaskKey};
use zephyrfs_core::id::TaskId;
use zephyrfs_core::repair::{Nodes as _, judge};
use zephyrfs_core::row::{Observed, TaskKind, TaskRow};
use zephyrfs_core::units::AppliedIndex;

use super::Why;
use super::words::time;
use crate::service::error::{InvalidField, ServiceError};
use crate::service::freshness::local_at;
use crate::service::lack::stopped;
use crate::service::picture::Picture;
use crate::service::request::RequestContext;
use crate::service::state::Service;
use crate::service::tasks::TaskDetails;
use crate::service::watch::{ChangeDetails, Recent};

/// Tasks read at a time.
const PAGE: usize = 1_000;

/// So many pages are looked through for a task. Nodes have slots for far fewer tasks.
const MAX_PAGES: usize = 2_000;

impl Service {
    /// Why a task is as it is.
    pub(super) async fn why_task(
        &self,
        id: String,
        context: &RequestContext,
    ) -> Result<At<Why>, ServiceError> {
        let Ok(task) = id.parse::<TaskId>() else {
            let problem = "must be 32 hex digits, as in the list of tasks";
            return Err(ServiceError::Invalid(InvalidField::new("id", problem)));
        };
        let At { index, value } = self.find_task(task, context).await?;
        let Recent { changes, after } = self.recent_changes(&["task"], &task.to_string()).await?;
        let Some(((node, chunk), row)) = value else {
            let reason = what_is_left(task, &changes, after);
            return Err(ServiceError::NoSuchTask { reason, index });
        };
        let local = RequestContext {
            freshness: local_at(index),
            ..context.clone()
        };
        let picture = self.nodes_read_anew(local_at(index), context.deadline).await?;
        let reads = ReadSet {
            chunks: vec![chunk.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, local_at(index));
        let view = self.read("the task's chunk", context.deadline, view).await?.value;
        let chunk_row = view.chunks.get(&chunk);
        let has_source = chunk_row
            .is_some_and(|row| judge(row, &*picture, self.engine.now(), &self.policy.repair()).has_source);
        let chunk_facts = match chunk_row {
            Some(row) => Some(self.chunk_facts(&chunk, row, &picture, context.deadline).await?.0),
            None => None,
        };
        let details = self.node(node.to_string(), local.clone()).await?.value;
        let (node_facts, _) = self
            .node_facts(&details, &picture, index, context.deadline)
            .await?;
        let tasks = vec![((node, chunk), row)];
        let tasks = self.with_states(tasks, &local, local_at(index)).await?;
        let obstacles = tasks
            .first()
            .map(|task| obstacles(task, has_source, &picture))
            .unwrap_or_default();
        let value = Why {
            summary: tasks
                .first()
                .map(|task| summary(task, &obstacles))
                .unwrap_or_default(),
            kind: "task",
            id: task.to_string(),
            obstacles,
            chunk: chunk_facts,
            node: Some(node_facts),
            tasks,
            events: changes,
            events_after: after,
        };
        Ok(At { index, value })
    }

    /// A task by its id. Tasks are kept by node and chunk, so all of them are looked through.
    async fn find_task(
        &self,
        id: TaskId,
        context: &RequestContext,
    ) -> Result<At<Option<(TaskKey, TaskRow)>>, ServiceError> {
        let (mut after, mut freshness) = (None, context.freshness);
        let mut first = None;
        for _ in 0..MAX_PAGES {
            let tasks = self.engine.tasks(None, after, PAGE, freshness);
            let At { index, value } = self.read("the tasks", context.deadline, tasks).await?;
            let index = *first.get_or_insert(index);
            freshness = local_at(index);
            let Page { items, next } = value;
            let found = items.into_iter().find(|(_, task)| task.id == id);
            if found.is_some() {
                return Ok(At { index, value: found });
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        Ok(At {
            index: first.unwrap_or_default(),
            value: None,
        })
    }
}

/// What the events still know of a task that is not there.
fn what_is_left(id: TaskId, changes: &[ChangeDetails], after: AppliedIndex) -> String {
    let Some(last) = changes.last() else {
        return format!("there is no task {id}, and no event after index {after} names it");
    };
    let about = |details: &ChangeDetails| {
        let name = |id: Option<&str>| id.unwrap_or_default().to_owned();
        format!(
            "{} chunk {} on node {}",
            details.task_type.unwrap_or("do something with"),
            name(details.chunk.as_ref().map(|id| id.as_str())),
            name(details.node.as_ref().map(|id| id.as_str()))
        )
    };
    let reason = changes.iter().find_map(|details| details.reason.as_deref());
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(
        "there is no task {id} any more: it was to {}{reason}, and was {} at {}, index {}",
        about(last),
        last.change,
        time(last.at),
        last.index
    )
}

/// Why a task does not advance, and what is being waited for.
fn obstacles(task: &TaskDetails, has_source: bool, picture: &Picture) -> Vec<String> {
    let mut obstacles = Vec::new();
    let node = picture.node(&task.node);
    if let Some(Observed::Inactive { since, .. }) = node.map(|node| node.observed) {
        obstacles.push(format!("its node is silent since {}", time(since)));
    }
    if let Some(brake) = &picture.brake {
        obstacles.push(format!(
            "{}, and tasks are neither renewed nor taken back",
            stopped(brake)
        ));
    }
    if task.kind == TaskKind::Replicate.as_str() {
        if !has_source {
            obstacles.push("no node that has a copy is heard from".to_owned());
        } else if let Some(source) = &task.source
            && !picture.node(source).is_some_and(|node| node.serves_reads())
        {
            obstacles.push(format!("node {source}, which is asked first, is not heard from"));
        }
    }
    if obstacles.is_empty() {
        obstacles.push(match task.state {
            "pending" => "its node is told with the next heartbeat".to_owned(),
            _ => format!("its node was told, and has time until {}", time(task.deadline)),
        });
    }
    obstacles
}

fn summary(task: &TaskDetails, obstacles: &[String]) -> String {
    let TaskDetails {
        id,
        kind,
        chunk,
        node,
        reason,
        attempt,
        ..
    } = task;
    let obstacle = obstacles.first().map_or("", String::as_str);
    format!("Task {id} tells node {node} to {kind} chunk {chunk} ({reason}), attempt {attempt}; {obstacle}.")
}
