//! The data as a whole.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use zephyrfs_core::engine::StorageReport;
use zephyrfs_core::row::NodeStatus;

use crate::service::{Backup, DatabaseStats, Reclaimed};

/// How much is stored on this replica.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct DatabaseStatsResponse {
    /// All bytes on disk.
    size_bytes: u64,
    /// Bytes on disk by what they hold.
    bytes_on_disk: BTreeMap<&'static str, u64>,
    /// Rows by table.
    rows: BTreeMap<&'static str, u64>,
    /// Nodes by status.
    nodes: BTreeMap<&'static str, u64>,
    files: u64,
    /// Chunks that some file holds.
    chunks: u64,
    /// Chunks that no file holds and that are kept for a grace period.
    unreferenced_chunks: u64,
}

impl From<DatabaseStats> for DatabaseStatsResponse {
    fn from(stats: DatabaseStats) -> Self {
        let DatabaseStats {
            storage: StorageReport { bytes_on_disk, rows },
            totals,
        } = stats;
        let nodes = NodeStatus::ALL.map(|status| (status.as_str(), totals.nodes_with(status)));
        Self {
            size_bytes: bytes_on_disk.iter().map(|(_, bytes)| bytes).sum(),
            bytes_on_disk: bytes_on_disk.into_iter().collect(),
            rows: rows.into_iter().collect(),
            nodes: BTreeMap::from(nodes),
            files: totals.files,
            chunks: totals.chunks,
            unreferenced_chunks: totals.unreferenced_chunks,
        }
    }
}

/// A backup that is complete and on disk.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct BackupResponse {
    success: bool,
    message: String,
    /// The file, on the replica that answered.
    path: String,
    /// Its length.
    size_bytes: u64,
    /// Rows in it.
    rows: u64,
    /// The digest of its rows, in hex.
    digest: String,
}

impl From<Backup> for BackupResponse {
    fn from(backup: Backup) -> Self {
        let Backup {
            path,
            bytes,
            rows,
            digest,
        } = backup;
        Self {
            success: true,
            message: "Backup written".to_owned(),
            path: path.display().to_string(),
            size_bytes: bytes,
            rows,
            digest: digest.to_string(),
        }
    }
}

/// What a cleanup got rid of.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct CleanupResponse {
    success: bool,
    message: String,
    /// Remembered answers whose time was over.
    requests: u64,
    /// Chunks that no file and no node held any more.
    chunks: u64,
    /// Deleted or replaced files whose last chunks were released.
    releases: u64,
}

impl From<Reclaimed> for CleanupResponse {
    fn from(reclaimed: Reclaimed) -> Self {
        let Reclaimed {
            requests,
            chunks,
            releases,
            keeps_chunks,
        } = reclaimed;
        let message = if keeps_chunks {
            "Cleanup done, except for chunks: repair is stopped, because very many nodes fell silent together; see \
             /api/v1/repair"
        } else {
            "Cleanup done"
        };
        Self {
            success: true,
            message: message.to_owned(),
            requests,
            chunks,
            releases,
        }
    }
}
