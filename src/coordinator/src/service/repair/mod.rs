//! What the leader does by itself so that chunks stay alive: it looks at all of them in turn and proposes the copies that
//! are missing, tells nodes to drop what nobody needs, and sees to it that tasks come to an end.
//!
//! Nothing depends on what is kept here: a new leader begins at the first chunk and finds everything again. All that is
//! proposed carries its condition, so a replica that wrongly believes that it leads does no harm.

mod deletions;
mod open_tasks;
mod patrol;
mod settle;
mod walk;

use zephyrfs_core::engine::ScanCursor;
use zephyrfs_core::id::ChunkId;
use zephyrfs_core::units::Millis;

use super::error::ServiceError;
use super::state::Service;
use open_tasks::OpenTasks;
use walk::Walk;

/// How far the looking has come.
#[derive(Debug, Default)]
pub struct Repair {
    chunks: Walk<ScanCursor>,
    unreferenced: Walk<ChunkId>,
}

impl Service {
    /// One round: a bounded part of all chunks is looked at.
    ///
    /// # Errors
    /// [`ServiceError`]; what is left is found again by a later round.
    pub async fn repair(&self, repair: &mut Repair) -> Result<(), ServiceError> {
        let picture = self.nodes_to_place_on(None).await?;
        let mut open = self.open_tasks().await?;
        self.settle_tasks(&picture, &open).await?;
        self.patrol(&picture, &mut open, &mut repair.chunks).await?;
        self.delete_unreferenced(&picture, &mut open, &mut repair.unreferenced)
            .await
    }

    /// How long a node has for a task: until it is told, which may take a heartbeat's time, and then to do it.
    pub(in crate::service) fn task_time(&self) -> Millis {
        Millis::from(self.policy.heartbeat_interval + self.policy.node_timeout)
    }
}
