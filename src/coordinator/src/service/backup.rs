//! A backup: every row of one state in one file that is either complete or not there.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use tokio::runtime::Handle;
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::row::Row;
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{DumpDigest, Engine};

use crate::dump_file::{NamedDump, WriteError};

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

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(super) enum BackupError {
    #[error("cannot prepare {path}: {source}")]
    Directory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("nobody waits for the backup any more")]
    Abandoned,
}

/// Writes a backup to a directory. Blocks, so it has a thread of its own; `abandoned` stops it.
pub(super) fn write(
    engine: &Arc<dyn Engine>,
    runtime: &Handle,
    directory: &Path,
    abandoned: &AtomicBool,
) -> Result<At<Backup>, BackupError> {
    let prepare = || {
        fs::create_dir_all(directory)?;
        // Only one backup is written at a time.
        NamedDump::remove_leftovers(directory)
    };
    prepare().map_err(|source| BackupError::Directory {
        path: directory.to_owned(),
        source,
    })?;
    let path = free_path(directory, engine.now());
    let mut dump = NamedDump::create(&path)?;
    let mut failed = None;
    let mut take = |row: Row| {
        let result = if abandoned.load(Ordering::Relaxed) {
            Err(BackupError::Abandoned)
        } else {
            dump.add(&row).map_err(BackupError::from)
        };
        failed = result.err();
        failed.is_none()
    };
    let index = runtime.block_on(engine.dump(&mut take))?;
    if let Some(error) = failed {
        return Err(error);
    }
    let written = dump.finish(index)?;
    let value = Backup {
        path,
        bytes: written.bytes,
        rows: written.rows,
        digest: written.digest,
    };
    Ok(At { index, value })
}

/// A path that no backup has: while a clock is set back, time stands still here.
fn free_path(directory: &Path, now: Timestamp) -> PathBuf {
    let name = file_name(now);
    let first = directory.join(format!("{name}.dump"));
    let others = (2_u64..).map(|number| directory.join(format!("{name}-{number}.dump")));
    let mut paths = iter::once(first.clone()).chain(others);
    // There are more numbers than a directory holds files.
    paths.find(|path| !path.exists()).unwrap_or(first)
}

/// `coordinator-20260131T120501250Z`.
fn file_name(now: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(now.as_millis());
    let mut text = String::new();
    // Years of five digits have no such text.
    if write!(text, "{}", humantime::format_rfc3339_millis(time)).is_err() {
        text = now.as_millis().to_string();
    }
    text.retain(|character| character.is_ascii_alphanumeric());
    format!("coordinator-{text}")
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::units::Timestamp;

    use super::file_name;

    #[test]
    fn the_name_tells_the_time() {
        let name = file_name(Timestamp::from_millis(1_769_861_101_250));
        assert_eq!(name, "coordinator-20260131T120501250Z");
        let name = file_name(Timestamp::from_millis(u64::from(u32::MAX) * 100_000));
        assert_eq!(name, "coordinator-429496729500000");
    }
}
