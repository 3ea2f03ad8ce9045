//! What the leader does by itself so that chunks stay alive: it looks at all of them in turn and proposes the copies that
//! are missing, tells nodes to drop what nobody needs, ends drains, and sees to it that tasks come to an end.
//!
//! Nothing depends on what is kept here: a new leader begins at the first chunk and finds everything again. All that is
//! proposed carries its condition, so a replica that wrongly believes that it leads does no harm. What is to be done is
//! for the planners in the core to say; here it is read, proposed and reported.

mod alarm;
mod deletions;
mod drains;
mod patrol;
mod report;
mod settle;
mod tasks;
mod walk;

use std::time::{Duration, Instant};

use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::{Freshness, ScanCursor};
use zephyrfs_core::id::ChunkId;
use zephyrfs_core::repair::{Budget, Limits, Memory, Pace};
use zephyrfs_core::units::Millis;

use super::engine_error::translate;
use super::error::ServiceError;
use super::picture::Picture;
use super::state::Service;
use patrol::Pass;
use walk::Walk;

pub(super) use report::RepairState;
pub use report::{PassReport, RepairReport};

/// So many times in each round is looked how long an answer takes.
const LOOKS: usize = 3;

/// No longer than so long, which is slow for whatever reason.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// How far the looking has come.
#[derive(Debug, Default)]
pub struct Repair {
    /// The term in which this replica leads; another one is another beginning.
    term: u64,
    memory: Memory,
    pace: Pace,
    chunks: Walk<ScanCursor>,
    pass: Pass,
    unreferenced: Walk<ChunkId>,
    /// Whether nobody led for so long that what is known of nodes says nothing; `None` until nodes were looked at.
    was_deaf: Option<bool>,
}

impl Service {
    /// One round: a bounded part of all chunks is looked at. `led_for` is how long this replica has led without a break.
    ///
    /// # Errors
    /// [`ServiceError`]; what is left is found again by a later round.
    pub async fn repair(&self, repair: &mut Repair, led_for: Duration) -> Result<(), ServiceError> {
        let term = self.engine.status().term;
        if repair.term != term {
            *repair = Repair {
                term,
                memory: Memory::new(Budget::new(self.policy.repair_rates)),
                ..Repair::default()
            };
        }
        self.keep_pace(&mut repair.pace).await?;
        let picture = self.nodes_to_place_on(None).await?;
        self.repair_state.note_brake(term, picture.brake.as_ref());
        self.repair_state.note_window(repair.pace.window());
        if picture.brake.is_some() {
            return Ok(());
        }
        repair.memory.tidy(self.engine.now(), self.task_time());
        let limits = Limits {
            window: repair.pace.window(),
            ..Limits::default()
        };
        let mut open = self.open_tasks(&picture, limits).await?;
        repair.pace.under_way(open.workload.under_way());
        let was_deaf = *repair.was_deaf.get_or_insert_with(|| self.was_deaf(&picture));
        if !was_deaf || led_for >= self.policy.heartbeat_interval * 2 + self.policy.heartbeat_flush {
            self.settle_tasks(&picture, &open, &mut repair.memory).await?;
            self.patrol(&picture, &mut open, repair).await?;
        }
        self.delete_unreferenced(&picture, &mut open, &mut repair.unreferenced)
            .await?;
        self.finish_drains(&picture).await
    }

    /// Looks how long the coordinator takes for an answer, and fits to it how much repair may have under way.
    async fn keep_pace(&self, pace: &mut Pace) -> Result<(), ServiceError> {
        for _ in 0..LOOKS {
            let began = Instant::now();
            let view = self.engine.view(ReadSet::default(), Freshness::default());
            match tokio::time::timeout(LONGEST_LOOK, view).await {
                Ok(Err(error)) => return Err(translate(error, false)),
                // One that takes too long is a very slow one.
                Ok(Ok(_)) | Err(_) => pace.answered(began.elapsed()),
            }
        }
        let settles_in = self.policy.heartbeat_interval + self.policy.heartbeat_flush;
        pace.adjust(self.engine.now(), settles_in.into());
        Ok(())
    }

    /// Whether no node's heartbeat was recorded for so long that nobody can have led. Then nodes that were silent before may
    /// long be back, and those that brought their copies could not say so: they are given time to.
    fn was_deaf(&self, picture: &Picture) -> bool {
        let span = self.policy.heartbeat_interval + self.policy.heartbeat_flush;
        let newest = picture.nodes().filter_map(|node| node.last).max();
        newest.is_some_and(|newest| self.engine.now().since(newest) > Millis::from(span))
    }

    /// How long a node has for a task.
    pub(in crate::service) fn task_time(&self) -> Millis {
        self.policy.task_time()
    }
}
