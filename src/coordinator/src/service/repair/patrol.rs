//! The patrol over all chunks: finds those with too few copies, and gives nodes the task to fetch one.

use std::time::{Duration, Instant};

use zephyrfs_core::command::{AssignReplicas, CopyPlan, ForgetReplicas, PAGE};
use zephyrfs_core::engine::{ChunkScan, ScanCursor};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::placement::{CopyWanted, Exclusion, Topology};
use zephyrfs_core::repair::{self, Judgement, judge};
use zephyrfs_core::row::{ChunkRow, ReplicaState, TaskKind, TaskReason};
use zephyrfs_core::{Command, Response};

use super::{OpenTasks, Walk};
use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// Parts looked at in one round: a few hundredths of a second of work.
const ROUND: usize = 20;

/// What a part of the patrol found.
#[derive(Default)]
struct Findings {
    copies: Vec<CopyPlan>,
    forgettable: Vec<(ChunkId, NodeId)>,
    short: Vec<(ChunkId, ChunkRow, Judgement)>,
    left_something: bool,
}

impl Service {
    /// Looks at the next chunks.
    pub(super) async fn patrol(
        &self,
        picture: &Picture,
        open: &mut OpenTasks,
        walk: &mut Walk<ScanCursor>,
    ) -> Result<(), ServiceError> {
        let policy = self.repair_policy();
        let shortest = self.policy.repair_delay_last.min(self.policy.repair_delay_few);
        let rest = (shortest / 2).clamp(Duration::from_millis(500), Duration::from_secs(30));
        if !walk.is_due(rest, self.engine.registry_version(), Instant::now()) {
            return Ok(());
        }
        for _ in 0..ROUND {
            let scan = self.engine.scan_chunks(walk.cursor(), PAGE);
            let ChunkScan { items, next } = self.read("a part of all chunks", None, scan).await?;
            let mut findings = self.judge_all(items, picture, open, &policy);
            self.choose_targets(&mut findings, picture, open);
            if findings.left_something {
                walk.leave_something();
            }
            self.propose_findings(findings).await?;
            if !walk.went_to(next, Instant::now()) {
                break;
            }
            // Others want this thread, too.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn repair_policy(&self) -> repair::Policy {
        repair::Policy {
            wanted: self.policy.replication_factor as usize,
            delay: self.policy.repair_delay.into(),
            delay_few: self.policy.repair_delay_few.into(),
            delay_last: self.policy.repair_delay_last.into(),
        }
    }

    fn judge_all(
        &self,
        chunks: Vec<(ChunkId, ChunkRow)>,
        picture: &Picture,
        open: &mut OpenTasks,
        policy: &repair::Policy,
    ) -> Findings {
        let now = self.engine.now();
        let mut findings = Findings::default();
        for (id, row) in chunks {
            let judgement = judge(&row, picture, now, policy);
            if judgement.is_whole() {
                continue;
            }
            let lost = judgement.forgettable.iter().cloned();
            findings.forgettable.extend(lost.map(|node| (id.clone(), node)));
            for target in &judgement.never_brought {
                findings.tell(&id, target, &judgement, open);
            }
            if judgement.missing > 0 {
                findings.short.push((id, row, judgement));
            }
        }
        findings
    }

    /// Chooses nodes for the copies that are missing, among those that can be told, the most urgent chunks first.
    fn choose_targets(&self, findings: &mut Findings, picture: &Picture, open: &mut OpenTasks) {
        let mut short = std::mem::take(&mut findings.short);
        short.sort_by_key(|(_, _, judgement)| judgement.reason);
        for of_a_kind in short.chunk_by(|one, other| one.2.reason == other.2.reason) {
            let reason = of_a_kind
                .first()
                .map_or(TaskReason::UnderTarget, |(_, _, judgement)| judgement.reason);
            let topology = topology_of_idle(picture, open, reason);
            if !topology.has_room() {
                findings.left_something = true;
                continue;
            }
            let wanted: Vec<_> = of_a_kind
                .iter()
                .map(|(_, row, judgement)| wanted_of(row, judgement))
                .collect();
            let plans = self.plan_copies(picture, &topology, &wanted);
            for ((id, row, judgement), targets) in of_a_kind.iter().zip(plans) {
                for target in targets {
                    if !findings.tell(id, &target, judgement, open) {
                        self.take_back(&[(target, row.size)]);
                    }
                }
            }
        }
    }

    async fn propose_findings(&self, findings: Findings) -> Result<(), ServiceError> {
        let wanted = self.policy.replication_factor;
        for copies in findings.copies.chunks(PAGE) {
            let command = Command::AssignReplicas(AssignReplicas {
                copies: copies.to_vec(),
                wanted,
                time: self.task_time(),
            });
            let Response::TasksStarted { started } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("assign_replicas"));
            };
            if started > 0 {
                tracing::info!(copies = started, "Copying chunks that have too few copies");
            }
        }
        for replicas in findings.forgettable.chunks(PAGE) {
            let command = Command::ForgetReplicas(ForgetReplicas {
                replicas: replicas.to_vec(),
                wanted,
            });
            let Response::ReplicasForgotten { forgotten } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("forget_replicas"));
            };
            tracing::info!(
                forgotten,
                "Forgot copies on unregistered nodes; enough others are stored"
            );
        }
        Ok(())
    }
}

impl Findings {
    /// Plans a copy, unless its node has the task already, or too many. Tells whether it did.
    fn tell(
        &mut self,
        chunk: &ChunkId,
        target: &NodeId,
        judgement: &Judgement,
        open: &mut OpenTasks,
    ) -> bool {
        let key = (target.clone(), chunk.clone());
        if open.has(&key) {
            return false;
        }
        if !open.has_room_for_copy(target, judgement.reason) {
            self.left_something = true;
            return false;
        }
        open.tell(key, TaskKind::Replicate, judgement.reason);
        self.copies.push(CopyPlan {
            chunk: chunk.clone(),
            target: target.clone(),
            reason: judgement.reason,
        });
        true
    }
}

/// The nodes, those that can be told no more marked as busy.
fn topology_of_idle(picture: &Picture, open: &OpenTasks, reason: TaskReason) -> Topology {
    Topology::new(picture.candidates.iter().map(|candidate| {
        let mut candidate = candidate.clone();
        if candidate.unfit.is_none() && !open.has_room_for_copy(&candidate.id, reason) {
            candidate.unfit = Some(Exclusion::Busy);
        }
        candidate
    }))
}

fn wanted_of(row: &ChunkRow, judgement: &Judgement) -> CopyWanted {
    let Judgement { missing, kept, .. } = judgement;
    let is_kept = |node: &NodeId| kept.contains(node);
    CopyWanted {
        size: row.size,
        kept: kept.clone(),
        // Whoever has a copy that does not count, or is to drop one, cannot take another.
        barred: row
            .replicas
            .iter()
            .filter(|replica| replica.state == ReplicaState::Deleting || !is_kept(&replica.node))
            .map(|replica| replica.node.clone())
            .collect(),
        missing: *missing,
    }
}
