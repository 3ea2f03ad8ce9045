//! What operators ask of the data as a whole: how large it is, a backup, a cleanup.

use std::path::PathBuf;

use zephyrfs_core::engine::{At, StorageReport};
use zephyrfs_core::{DumpDigest, Totals};

use super::{RequestContext, Service, ServiceError};

/// How much is stored on this replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Bytes on disk and rows by table.
    pub storage: StorageReport,
    /// Nodes by status, files and chunks.
    pub totals: Totals,
}

/// A backup that is complete and on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file, on this replica.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// The digest of its rows.
    pub digest: DumpDigest,
}

/// What a cleanup got rid of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Remembered answers whose time was over.
    pub requests: u64,
    /// Chunks that no file and no node held any more.
    pub chunks: u64,
    /// Deleted or replaced files whose last chunks were released.
    pub releases: u64,
}

impl Service {
    /// How much is stored on this replica.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn database_stats(&self, context: RequestContext) -> Result<At<DatabaseStats>, ServiceError> {
        todo!()
    }

    /// Writes a consistent backup of this replica's state to its data directory. It is complete once this returns; a
    /// deadline that passes before leaves nothing behind.
    ///
    /// # Errors
    /// [`ServiceError`]; `Overloaded` while another backup is being written.
    pub async fn backup(&self, context: RequestContext) -> Result<At<Backup>, ServiceError> {
        todo!()
    }

    /// Runs housekeeping once.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn cleanup(&self, context: RequestContext) -> Result<At<Reclaimed>, ServiceError> {
        todo!()
    }
}
