//! The patrol over all chunks: finds those with too few copies, and gives nodes the task to fetch one.

use std::time::{Duration, Instant};

use zephyrfs_core::command::{AssignReplicas, CopyPlan, ForgetReplicas, PAGE};
use zephyrfs_core::engine::{ChunkScan, ScanCursor};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::placement::CopyWanted;
use zephyrfs_core::repair::{self, Judgement, judge};
use zephyrfs_core::row::{ChunkRow, ReplicaState};
use zephyrfs_core::{Command, Response};

use super::{OpenTasks, Walk};
use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// Chunks looked at in one round: a few hundredths of a second of work.
const ROUND: usize = 20 * PAGE;

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
        let mut looked_at = 0;
        while looked_at < ROUND {
            let scan = self.engine.scan_chunks(walk.take_cursor(), PAGE);
            let ChunkScan { items, next } = self.read("a part of all chunks", None, scan).await?;
            looked_at += items.len();
            let mut findings = self.judge_all(items, picture, open, &policy);
            self.choose_targets(&mut findings, picture, open);
            if findings.left_something {
                walk.leave_something();
            }
            self.propose_findings(findings).await?;
            if !walk.went_to(next, Instant::now()) {
                break;
            }
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

    /// Chooses nodes for the copies that are missing.
    fn choose_targets(&self, findings: &mut Findings, picture: &Picture, open: &mut OpenTasks) {
        let short = std::mem::take(&mut findings.short);
        if short.is_empty() {
            return;
        }
        let wanted: Vec<_> = short
            .iter()
            .map(|(_, row, judgement)| wanted_of(row, judgement))
            .collect();
        let plans = self.plan_copies(picture, &wanted);
        for ((id, _, judgement), targets) in short.iter().zip(plans) {
            for target in targets {
                findings.tell(id, &target, judgement, open);
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
    /// Plans a copy, unless its node has the task already, or too many.
    fn tell(&mut self, chunk: &ChunkId, target: &NodeId, judgement: &Judgement, open: &mut OpenTasks) {
        let key = (target.clone(), chunk.clone());
        if open.has(&key) {
            return;
        }
        if !open.has_room(target) {
            self.left_something = true;
            return;
        }
        open.tell(key);
        self.copies.push(CopyPlan {
            chunk: chunk.clone(),
            target: target.clone(),
            reason: judgement.reason,
        });
    }
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
