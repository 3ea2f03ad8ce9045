//! What a chunk that lacks copies waits for, in words.

use std::time::Instant;

use zephyrfs_core::ReadSet;
use zephyrfs_core::id::ChunkId;
use zephyrfs_core::placement::{Purpose, explain};
use zephyrfs_core::repair::{Brake, Judgement};
use zephyrfs_core::row::{ChunkRow, Replica, ReplicaState};
use zephyrfs_core::units::Timestamp;

use super::error::ServiceError;
use super::freshness::local;
use super::picture::Picture;
use super::state::Service;

/// Why nothing at all is done for chunks.
pub(super) fn stopped(brake: &Brake) -> String {
    format!(
        "repair is stopped: {} of {} nodes fell silent together",
        brake.silent.len(),
        brake.of
    )
}

impl Service {
    /// What a chunk waits for before it has one copy more.
    pub(super) async fn what_a_copy_waits_for(
        &self,
        id: &ChunkId,
        row: &ChunkRow,
        judgement: &Judgement,
        picture: &Picture,
        deadline: Option<Instant>,
    ) -> Result<String, ServiceError> {
        if let Some(brake) = &picture.brake {
            return Ok(stopped(brake));
        }
        if !judgement.has_source {
            return Ok("no node that has a copy is heard from".to_owned());
        }
        let under_way = row
            .replicas
            .iter()
            .filter(|replica| replica.state == ReplicaState::Assigned);
        let reads = ReadSet {
            tasks: under_way
                .map(|replica| (replica.node.clone(), id.clone()))
                .collect(),
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, local());
        let tasks = self.read("the chunk's tasks", deadline, view).await?.value.tasks;
        if let Some(((target, _), task)) = tasks.first_key_value() {
            return Ok(format!(
                "node {target} was told to fetch a copy (attempt {})",
                task.attempt
            ));
        }
        if judgement.missing == 0 {
            return Ok(who_is_waited_for(row, judgement, self.engine.now()));
        }
        let explained = explain(
            row,
            &picture.candidates,
            &picture.topology,
            self.policy.placement(),
            Purpose::Repair,
        );
        if explained.iter().any(|(_, verdict)| verdict.is_ok()) {
            return Ok("it waits its turn".to_owned());
        }
        let mut reasons: Vec<String> = explained
            .into_iter()
            .filter_map(|(_, verdict)| verdict.err().map(|exclusion| exclusion.to_string()))
            .collect();
        reasons.sort();
        let counted = reasons
            .chunk_by(|one, other| one == other)
            .map(|alike| format!("{} x {}", alike.len(), alike.first().map_or("", String::as_str)));
        Ok(format!(
            "no node can take a copy: {}",
            counted.collect::<Vec<_>>().join("; ")
        ))
    }
}

/// Who is waited for where as many nodes as wanted have a copy, or were told to take one.
fn who_is_waited_for(row: &ChunkRow, judgement: &Judgement, now: Timestamp) -> String {
    if let Some(until) = judgement.waits_until {
        let left = until.since(now).get() / 1_000;
        return format!("a silent node that has a copy is expected back, for {left} s more");
    }
    let is_to_come =
        |replica: &Replica| replica.state == ReplicaState::Assigned && judgement.kept.contains(&replica.node);
    if row.replicas.iter().any(is_to_come) {
        "a client is expected to bring a copy".to_owned()
    } else {
        "a node that has a copy is expected back".to_owned()
    }
}
