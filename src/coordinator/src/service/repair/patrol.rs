//! The patrol over all chunks: hands them to the planner page by page, and proposes what comes of it.

use std::time::{Duration, Instant};

use zephyrfs_core::command::{AssignReplicas, ForgetReplicas, PAGE, TrimCopies};
use zephyrfs_core::engine::ChunkScan;
use zephyrfs_core::id::ChunkId;
use zephyrfs_core::repair::{Class, Imbalance, Plan, Round, Tally, plan};
use zephyrfs_core::row::ChunkRow;
use zephyrfs_core::units::{Millis, Timestamp};
use zephyrfs_core::{Command, Response};

use super::tasks::OpenTasks;
use super::{PassReport, Repair};
use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// So many chunks are looked at in one go: few enough that neither the planning of a part nor the command that comes of it
/// keeps clients waiting.
const PART: usize = 200;

/// How long a round looks at chunks when nothing calls for haste, when there was something left to do at last, and when
/// something happened.
const AT_EASE: Duration = Duration::from_millis(25);
const AT_WORK: Duration = Duration::from_millis(50);
const IN_HASTE: Duration = Duration::from_millis(200);

/// What takes copies away is decided by the nodes that were heard of late, so it holds for so long only.
const GOOD_FOR: Millis = Millis::from_seconds(5);

/// A pass that is under way.
#[derive(Debug, Default)]
pub(super) struct Pass {
    began: Option<Instant>,
    tally: Tally,
    /// What is to move between nodes in this pass.
    imbalance: Imbalance,
    /// Whether the pass before found chunks that lack copies: then nothing moves for the sake of balance.
    has_lack: bool,
}

/// What a round came to: told at its end, even if that is an early one.
#[derive(Debug, Default)]
struct Done {
    started: u64,
    trimmed: u64,
    forgotten: u64,
}

impl Drop for Done {
    fn drop(&mut self) {
        if self.started > 0 {
            tracing::info!(
                copies = self.started,
                "Copying chunks that lack copies or lie badly"
            );
        }
        if self.trimmed > 0 {
            tracing::info!(copies = self.trimmed, "Dropping copies that others make up for");
        }
        if self.forgotten > 0 {
            tracing::info!(
                forgotten = self.forgotten,
                "Forgot copies that are not to be expected any more; enough others are stored"
            );
        }
    }
}

impl Service {
    /// Looks at the next chunks.
    pub(super) async fn patrol(
        &self,
        picture: &Picture,
        open: &mut OpenTasks,
        repair: &mut Repair,
    ) -> Result<(), ServiceError> {
        let shortest = self.policy.repair_delay_last.min(self.policy.repair_delay_few);
        let rest = (shortest / 2).clamp(Duration::from_millis(500), Duration::from_secs(30));
        let now = self.engine.now();
        if !repair
            .chunks
            .is_due(rest, self.engine.registry_version(), (Instant::now(), now))
        {
            return Ok(());
        }
        let round_began = Instant::now();
        let began = *repair.pass.began.get_or_insert_with(|| {
            repair.pass.imbalance = self.imbalance(picture, repair.memory.rebalances, repair.pass.has_lack);
            repair.memory.rebalances = !repair.pass.imbalance.is_even();
            round_began
        });
        let time = if repair.chunks.is_hasty() {
            IN_HASTE
        } else if repair.pass.has_lack {
            AT_WORK
        } else {
            AT_EASE
        };
        let mut done = Done::default();
        loop {
            let scan = self.engine.scan_chunks(repair.chunks.cursor(), PART);
            let ChunkScan { items, next } = self.read("a part of all chunks", None, scan).await?;
            let plan = self.plan_page(&items, picture, open, repair);
            self.propose_plan(&plan, &mut done).await?;
            // Counted only now: a page of which the plan could not be proposed is looked at again.
            repair.pass.tally.add(&plan.tally);
            repair.chunks.found(plan.left_something, plan.due_at);
            let looked_at = repair.pass.tally.chunks;
            let rebalances = repair.memory.rebalances;
            self.repair_state.note_part(began, looked_at, rebalances);
            if !repair.chunks.went_to(next, Instant::now()) {
                self.end_pass(repair, began, now);
                return Ok(());
            }
            if round_began.elapsed() >= time {
                return Ok(());
            }
            // Others want this thread, too.
            tokio::task::yield_now().await;
        }
    }

    fn imbalance(&self, picture: &Picture, rebalances: bool, has_lack: bool) -> Imbalance {
        if has_lack || !self.policy.rebalance {
            return Imbalance::default();
        }
        Imbalance::of(&picture.candidates, rebalances)
    }

    fn end_pass(&self, repair: &mut Repair, began: Instant, now: Timestamp) {
        repair.memory.end_pass();
        let pass = std::mem::take(&mut repair.pass);
        repair.pass.has_lack = pass.tally.has_lack();
        self.repair_state.note_pass(PassReport {
            tally: pass.tally,
            took: began.elapsed(),
            ended: (Instant::now(), now),
        });
    }

    /// Plans a page, and promises the nodes that it names the space.
    fn plan_page(
        &self,
        page: &[(ChunkId, ChunkRow)],
        picture: &Picture,
        open: &mut OpenTasks,
        repair: &mut Repair,
    ) -> Plan {
        let policy = self.policy.repair();
        let mut ledger = self.promises.open();
        let round = Round {
            nodes: picture,
            topology: &picture.topology,
            policy: &policy,
            placement: self.policy.placement(),
            trim_after: self.policy.trim_after.into(),
            now: self.engine.now(),
            seed: self.ids.seed(),
            promised: ledger.since_picture(),
        };
        let plan = plan(
            page,
            &round,
            &mut open.workload,
            &mut repair.memory,
            &mut repair.pass.imbalance,
        );
        for (node, bytes) in &plan.promises {
            ledger.add(node, *bytes, picture.last_beat(node));
        }
        plan
    }

    async fn propose_plan(&self, plan: &Plan, done: &mut Done) -> Result<(), ServiceError> {
        let wanted = self.policy.replication_factor;
        let time = self.task_time();
        self.propose_copies(plan, done).await?;
        for copies in plan.trims.chunks(PAGE) {
            let command = Command::TrimCopies(TrimCopies {
                copies: copies.to_vec(),
                wanted,
                not_after: self.engine.now().plus(GOOD_FOR),
                time,
            });
            let Response::CopiesTrimmed { trimmed } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("trim_copies"));
            };
            done.trimmed += trimmed;
        }
        for replicas in plan.forgettable.chunks(PAGE) {
            let command = Command::ForgetReplicas(ForgetReplicas {
                replicas: replicas.to_vec(),
                wanted,
                not_after: self.engine.now().plus(GOOD_FOR),
            });
            let Response::ReplicasForgotten { forgotten } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("forget_replicas"));
            };
            done.forgotten += forgotten;
        }
        Ok(())
    }

    /// Proposes the copies of a plan. The space that was promised for those that cannot be proposed is free again.
    async fn propose_copies(&self, plan: &Plan, done: &mut Done) -> Result<(), ServiceError> {
        let mut promises = plan.promises.chunks(PAGE);
        for copies in plan.copies.chunks(PAGE) {
            let promised = promises.next().unwrap_or_default();
            let command = Command::AssignReplicas(AssignReplicas {
                copies: copies.to_vec(),
                wanted: self.policy.replication_factor,
                time: self.task_time(),
            });
            let response = match self.propose_by_itself(command).await {
                Ok(response) => response,
                Err(error) => {
                    // Where the outcome is unknown, the space may be taken.
                    if !matches!(error, ServiceError::UnknownOutcome { .. }) {
                        self.take_back(promised);
                    }
                    promises.for_each(|promised| self.take_back(promised));
                    return Err(error);
                }
            };
            let Response::TasksStarted { started } = response else {
                return Err(wrong_answer("assign_replicas"));
            };
            for (copy, (_, bytes)) in copies.iter().zip(promised) {
                self.repair_state.note_bytes(Class::from(copy.reason), *bytes);
            }
            done.started += started;
        }
        Ok(())
    }
}
