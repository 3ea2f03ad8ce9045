//! Chunks that no file has held for the grace period are deleted from their nodes.

use std::time::{Duration, Instant};

use zephyrfs_core::command::{DeleteCopies, PAGE};
use zephyrfs_core::engine::Page;
use zephyrfs_core::id::ChunkId;
use zephyrfs_core::repair::{Nodes, has_copies_to_delete, is_due};
use zephyrfs_core::row::{ChunkRow, ReplicaState};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, Response};

use super::{OpenTasks, Walk};
use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// Chunks looked at in one round.
const ROUND: usize = 10 * PAGE;

/// What deleting came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::service) struct Deleted {
    /// Tasks for nodes to drop copies.
    pub(in crate::service) started: u64,
    /// Chunks that are gone, since no node had a copy.
    pub(in crate::service) forgotten: u64,
}

impl Service {
    /// Looks at the next of the chunks that no file holds.
    pub(super) async fn delete_unreferenced(
        &self,
        picture: &Picture,
        open: &mut OpenTasks,
        walk: &mut Walk<ChunkId>,
    ) -> Result<(), ServiceError> {
        let rest = (self.policy.gc_grace / 10).clamp(Duration::from_millis(500), Duration::from_secs(30));
        if !walk.is_due(rest, self.engine.registry_version(), Instant::now()) {
            return Ok(());
        }
        let mut looked_at = 0;
        while looked_at < ROUND {
            let Page { items, next } = self.unreferenced_after(walk.take_cursor()).await?;
            looked_at += items.len();
            if !self.delete_page(items, picture, open).await? {
                walk.leave_something();
            }
            if !walk.went_to(next, Instant::now()) {
                break;
            }
        }
        Ok(())
    }

    /// Looks at all chunks that no file holds, and deletes those whose grace period is over.
    pub(in crate::service) async fn delete_all_unreferenced(&self) -> Result<Deleted, ServiceError> {
        let picture = self.nodes_to_place_on(None).await?;
        let mut open = self.open_tasks().await?;
        let mut cursor = None;
        let mut deleted = Deleted::default();
        loop {
            let Page { items, next } = self.unreferenced_after(cursor).await?;
            let due = self.due_for_deletion(items, &picture, &mut open).0;
            let page = self.delete_copies(due).await?;
            deleted.started += page.started;
            deleted.forgotten += page.forgotten;
            match next {
                Some(last) => cursor = Some(last),
                None => return Ok(deleted),
            }
        }
    }

    async fn unreferenced_after(
        &self,
        cursor: Option<ChunkId>,
    ) -> Result<Page<ChunkId, ChunkRow>, ServiceError> {
        let page = self.engine.unreferenced_chunks(cursor, PAGE);
        self.read("the chunks that no file holds", None, page).await
    }

    /// Deletes what is due of a page; tells whether that was all of it.
    async fn delete_page(
        &self,
        page: Vec<(ChunkId, ChunkRow)>,
        picture: &Picture,
        open: &mut OpenTasks,
    ) -> Result<bool, ServiceError> {
        let (due, is_all) = self.due_for_deletion(page, picture, open);
        let Deleted { started, forgotten } = self.delete_copies(due).await?;
        if started + forgotten > 0 {
            tracing::info!(started, forgotten, "Deleting chunks that no file holds");
        }
        Ok(is_all)
    }

    /// The chunks of a page whose copies nodes can be told to drop now, and whether these are all that are due.
    fn due_for_deletion(
        &self,
        page: Vec<(ChunkId, ChunkRow)>,
        picture: &Picture,
        open: &mut OpenTasks,
    ) -> (Vec<ChunkId>, bool) {
        let unreferenced_since = self.unreferenced_since();
        let mut due = Vec::new();
        let mut is_all = true;
        for (id, row) in page {
            if !is_due(&row, unreferenced_since) || !has_copies_to_delete(&row, picture) {
                continue;
            }
            let told: Vec<_> = row
                .replicas
                .iter()
                .filter(|replica| replica.state != ReplicaState::Deleting)
                .map(|replica| &replica.node)
                .filter(|node| picture.node(node).is_some_and(|node| node.serves_reads()))
                .collect();
            if told.iter().all(|node| open.has_room(node)) {
                for node in told {
                    open.tell((node.clone(), id.clone()));
                }
                due.push(id);
            } else {
                is_all = false;
            }
        }
        (due, is_all)
    }

    async fn delete_copies(&self, chunks: Vec<ChunkId>) -> Result<Deleted, ServiceError> {
        if chunks.is_empty() {
            return Ok(Deleted::default());
        }
        let command = Command::DeleteCopies(DeleteCopies {
            chunks,
            unreferenced_since: self.unreferenced_since(),
            time: self.task_time(),
        });
        match self.propose_by_itself(command).await? {
            Response::CopiesDeleted { started, forgotten } => Ok(Deleted { started, forgotten }),
            _ => Err(wrong_answer("delete_copies")),
        }
    }

    fn unreferenced_since(&self) -> Timestamp {
        self.engine.now().minus(self.policy.gc_grace.into())
    }
}
