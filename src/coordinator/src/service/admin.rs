//! What operators ask of the data as a whole: how large it is, a backup, a cleanup.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tracing::{error, info};
use zephyrfs_core::Totals;
use zephyrfs_core::engine::{At, StorageReport};

use super::backup::{self, Backup, BackupError};
use super::deadline::until;
use super::engine_error::translate;
use super::error::ServiceError;
use super::housekeeping::{Reclaimed, Round};
use super::request::RequestContext;
use super::state::Service;

/// How much is stored on this replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Bytes on disk and rows by table.
    pub storage: StorageReport,
    /// Nodes by status, files and chunks.
    pub totals: Totals,
}

impl Service {
    /// How much is stored on this replica.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn database_stats(&self, context: RequestContext) -> Result<At<DatabaseStats>, ServiceError> {
        let storage = self
            .read("the size of the data", context.deadline, self.engine.storage())
            .await?;
        let At { index, value: totals } = self.engine.totals();
        let value = DatabaseStats { storage, totals };
        Ok(At { index, value })
    }

    /// Writes a consistent backup of this replica's state to its data directory. It is complete once this
    /// returns; a deadline that passes before leaves nothing behind.
    ///
    /// # Errors
    /// [`ServiceError`]; `Overloaded` while another backup is being written.
    pub async fn backup(&self, context: RequestContext) -> Result<At<Backup>, ServiceError> {
        let turn =
            Arc::clone(&self.backup_turn)
                .try_acquire_owned()
                .map_err(|_| ServiceError::Overloaded {
                    reason: "another backup is being written; try again when it is done".to_owned(),
                })?;
        let engine = Arc::clone(&self.engine);
        let directory = self.data_dir.join("backups");
        let runtime = Handle::current();
        let waiting = Waiting::default();
        let abandoned = Arc::clone(&waiting.abandoned);
        let writing = tokio::task::spawn_blocking(move || {
            // Held for as long as the thread writes, even when nobody waits for it any more.
            let _turn = turn;
            backup::write(&engine, &runtime, &directory, &abandoned)
        });
        let Some(result) = until(context.deadline, writing).await else {
            return Err(ServiceError::DeadlineExceeded {
                reason: "the deadline passed before the backup was complete; nothing of it is kept"
                    .to_owned(),
            });
        };
        let written = result.map_err(|error| {
            error!(%error, "The thread that wrote a backup died");
            ServiceError::Internal
        })?;
        let done = written.map_err(backup_failed)?;
        info!(path = %done.value.path.display(), rows = done.value.rows, "Backup written");
        Ok(done)
    }

    /// Runs housekeeping once.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn cleanup(&self, context: RequestContext) -> Result<At<Reclaimed>, ServiceError> {
        let round = self.clean_up();
        until(context.deadline, round).await.unwrap_or_else(|| {
            Err(ServiceError::UnknownOutcome {
                reason: "the deadline passed before the cleanup was done; what was done stays done, and running it \
                         again is harmless"
                    .to_owned(),
            })
        })
    }
}

impl Service {
    async fn clean_up(&self) -> Result<At<Reclaimed>, ServiceError> {
        let At { index, value } = Round::run(&self.engine, &self.ids).await?;
        // After the releases: a finished one may leave chunks behind that nobody holds.
        let deleted = self.delete_all_unreferenced().await?;
        let value = Reclaimed {
            chunks: deleted.map_or(0, |deleted| deleted.forgotten),
            keeps_chunks: deleted.is_none(),
            ..value
        };
        let index = index.max(self.engine.totals().index);
        Ok(At { index, value })
    }
}

fn backup_failed(error: BackupError) -> ServiceError {
    match error {
        BackupError::Engine(error) => translate(error, false),
        error @ (BackupError::Directory { .. } | BackupError::Write(_) | BackupError::Abandoned) => {
            error!(%error, "Cannot write a backup");
            ServiceError::Internal
        }
    }
}

/// Tells the thread that writes a backup when nobody waits for it any more.
#[derive(Default)]
struct Waiting {
    abandoned: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}
