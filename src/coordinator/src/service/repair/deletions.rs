//! Chunks that no file has held for the grace period are deleted from their nodes.

use std::time::{Duration, Instant};

use zephyrfs_core::command::{DeleteCopies, PAGE};
use zephyrfs_core::engine::Page;
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::repair::{Limits, deletable};
use zephyrfs_core::row::ChunkRow;
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, Response};

use super::tasks::OpenTasks;
use super::walk::Walk;
use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::picture::Picture;
use crate::service::state::Service;

/// Pages looked at in one round.
const ROUND: usize = 10;

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
        let now = (Instant::now(), self.engine.now());
        if !walk.is_due(rest, self.engine.registry_version(), now) {
            return Ok(());
        }
        for _ in 0..ROUND {
            let Page { items, next } = self.unreferenced_after(walk.cursor()).await?;
            if !self.delete_page(items, picture, open).await? {
                walk.found(true, None);
            }
            if !walk.went_to(next, Instant::now()) {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Looks at all chunks that no file holds, and deletes those whose grace period is over. `None` while repair is stopped
    /// because very many nodes fell silent together: then none is deleted.
    pub(in crate::service) async fn delete_all_unreferenced(&self) -> Result<Option<Deleted>, ServiceError> {
        let picture = self.nodes_to_place_on(None).await?;
        if picture.brake.is_some() {
            return Ok(None);
        }
        let mut open = self.open_tasks(&picture, Limits::default()).await?;
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
                None => return Ok(Some(deleted)),
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

    /// The copies of a page's chunks that can be deleted now, and whether these are all that are due.
    fn due_for_deletion(
        &self,
        page: Vec<(ChunkId, ChunkRow)>,
        picture: &Picture,
        open: &mut OpenTasks,
    ) -> (Vec<(ChunkId, NodeId)>, bool) {
        let unreferenced_since = self.unreferenced_since();
        let mut due = Vec::new();
        let mut is_all = true;
        for (id, row) in page {
            if !row.is_unreferenced_since_before(unreferenced_since) {
                continue;
            }
            for (node, must_be_told) in deletable(&row, picture) {
                if must_be_told && !open.tell_to_delete(node) {
                    is_all = false;
                    continue;
                }
                due.push((id.clone(), node.clone()));
            }
        }
        (due, is_all)
    }

    async fn delete_copies(&self, copies: Vec<(ChunkId, NodeId)>) -> Result<Deleted, ServiceError> {
        let mut deleted = Deleted::default();
        for copies in copies.chunks(PAGE) {
            let command = Command::DeleteCopies(DeleteCopies {
                copies: copies.to_vec(),
                unreferenced_since: self.unreferenced_since(),
                time: self.task_time(),
            });
            let Response::CopiesDeleted { started, forgotten } = self.propose_by_itself(command).await?
            else {
                return Err(wrong_answer("delete_copies"));
            };
            deleted.started += started;
            deleted.forgotten += forgotten;
        }
        Ok(deleted)
    }

    fn unreferenced_since(&self) -> Timestamp {
        self.engine.now().minus(self.policy.gc_grace.into())
    }
}
