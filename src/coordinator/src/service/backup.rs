//! A backup: every row of one state in one file that is either complete or not there.
//!
//! The format, all numbers little-endian: the 8 bytes `ZFSDUMP` and NUL, a u32 format version, a u64 applied
//! index; then each row as a u32 length and so many bytes, in dump order; then a u32 zero, a u64 number of
//! rows, and the digest of the rows as 64 hex digits. Rows are encoded, and digested, by
//! [`zephyrfs_core::Dumper`].

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use tokio::runtime::Handle;
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::row::Row;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{DumpDigest, Dumper, Engine};

const MAGIC: [u8; 8] = *b"ZFSDUMP\0";
const FORMAT_VERSION: u32 = 1;
/// Where the applied index stands: it is known only when the last row is.
const INDEX_OFFSET: u64 = 12;
/// What a file is called until it is complete.
const PARTIAL: &str = "partial";

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
    #[error("cannot write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("a row cannot be encoded: {0}")]
    Row(String),
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
    let name = file_name(engine.now());
    let path = directory.join(&name);
    let partial = PartialFile(directory.join(format!("{name}.{PARTIAL}")));
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(at(directory))?;
    remove_leftovers(directory).map_err(at(directory))?;
    let file = File::create(&partial.0).map_err(at(&partial.0))?;
    let mut dump = DumpFile::begin(file).map_err(at(&partial.0))?;
    let mut failed = None;
    let mut take = |row: Row| {
        let result = if abandoned.load(Ordering::Relaxed) {
            Err(BackupError::Abandoned)
        } else {
            dump.add(&row, &partial.0)
        };
        failed = result.err();
        failed.is_none()
    };
    let index = runtime.block_on(engine.dump(&mut take))?;
    if let Some(error) = failed {
        return Err(error);
    }
    let (bytes, dumper) = dump.finish(index).map_err(at(&partial.0))?;
    fs::rename(&partial.0, &path).map_err(at(&path))?;
    // The new name is durable only with its directory.
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(at(directory))?;
    let value = Backup {
        path,
        bytes,
        rows: dumper.rows(),
        digest: dumper.digest(),
    };
    Ok(At { index, value })
}

/// Removes what a process that died while it wrote a backup left behind. Only one backup is written at a
/// time.
fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == PARTIAL) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// `coordinator-20260131T120501250Z.dump`.
fn file_name(now: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(now.as_millis());
    let mut text = String::new();
    // Years of five digits have no such text.
    if write!(text, "{}", humantime::format_rfc3339_millis(time)).is_err() {
        text = now.as_millis().to_string();
    }
    text.retain(|character| character.is_ascii_alphanumeric());
    format!("coordinator-{text}.dump")
}

/// A file that is removed unless it was renamed.
struct PartialFile(PathBuf);

impl Drop for PartialFile {
    fn drop(&mut self) {
        // It is gone if all went well; if it cannot be removed, the next backup tries again.
        let _ = fs::remove_file(&self.0);
    }
}

/// The file while it is being written.
struct DumpFile {
    writer: BufWriter<File>,
    dumper: Dumper,
}

impl DumpFile {
    fn begin(file: File) -> io::Result<Self> {
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        writer.write_all(&MAGIC)?;
        writer.write_all(&FORMAT_VERSION.to_le_bytes())?;
        writer.write_all(&0_u64.to_le_bytes())?;
        Ok(Self {
            writer,
            dumper: Dumper::default(),
        })
    }

    fn add(&mut self, row: &Row, path: &Path) -> Result<(), BackupError> {
        let row = self
            .dumper
            .add(row)
            .map_err(|error| BackupError::Row(error.to_string()))?;
        let length = u32::try_from(row.len()).map_err(|_| BackupError::Row("it is over 4 GiB".to_owned()))?;
        self.writer
            .write_all(&length.to_le_bytes())
            .and_then(|()| self.writer.write_all(&row))
            .map_err(|source| BackupError::Io {
                path: path.to_owned(),
                source,
            })
    }

    /// Ends the file and waits until it is on disk. Gives its length.
    fn finish(mut self, index: AppliedIndex) -> io::Result<(u64, Dumper)> {
        self.writer.write_all(&0_u32.to_le_bytes())?;
        self.writer.write_all(&self.dumper.rows().to_le_bytes())?;
        self.writer
            .write_all(self.dumper.digest().to_string().as_bytes())?;
        self.writer.seek(SeekFrom::Start(INDEX_OFFSET))?;
        self.writer.write_all(&index.get().to_le_bytes())?;
        let file = self.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok((file.metadata()?.len(), self.dumper))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use zephyrfs_core::Dumper;
    use zephyrfs_core::id::{ChunkId, FileId};
    use zephyrfs_core::row::Row;
    use zephyrfs_core::units::{AppliedIndex, Timestamp};

    use super::{DumpFile, FORMAT_VERSION, MAGIC, PartialFile, file_name, remove_leftovers};

    fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
        let (head, rest) = bytes.split_first_chunk::<N>().expect("the file is too short");
        *bytes = rest;
        *head
    }

    #[test]
    fn a_dump_file_holds_its_rows_and_their_digest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dump");
        let rows = [
            Row::Sharer(ChunkId::from("c"), FileId::from("f"), 1),
            Row::Sharer(ChunkId::from("d"), FileId::from("f"), 2),
        ];
        let mut dump = DumpFile::begin(File::create(&path).unwrap()).unwrap();
        for row in &rows {
            dump.add(row, &path).unwrap();
        }
        let (length, _) = dump.finish(AppliedIndex::new(77)).unwrap();

        let content = fs::read(&path).unwrap();
        assert_eq!(content.len() as u64, length);
        let mut bytes = content.as_slice();
        assert_eq!(take::<8>(&mut bytes), MAGIC);
        assert_eq!(u32::from_le_bytes(take(&mut bytes)), FORMAT_VERSION);
        assert_eq!(u64::from_le_bytes(take(&mut bytes)), 77);
        let mut expected = Dumper::default();
        for row in &rows {
            let encoded = expected.add(row).unwrap();
            let length = u32::from_le_bytes(take(&mut bytes)) as usize;
            let (stored, rest) = bytes.split_at(length);
            assert_eq!(stored, encoded);
            bytes = rest;
        }
        assert_eq!(u32::from_le_bytes(take(&mut bytes)), 0);
        assert_eq!(u64::from_le_bytes(take(&mut bytes)), 2);
        assert_eq!(bytes, expected.digest().to_string().as_bytes());
    }

    #[test]
    fn the_name_tells_the_time() {
        let name = file_name(Timestamp::from_millis(1_769_861_101_250));
        assert_eq!(name, "coordinator-20260131T120501250Z.dump");
        let name = file_name(Timestamp::from_millis(u64::from(u32::MAX) * 100_000));
        assert_eq!(name, "coordinator-429496729500000.dump");
    }

    #[test]
    fn an_incomplete_file_goes_by_itself_or_with_the_next_backup() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.dump.partial");
        fs::write(&path, "").unwrap();
        drop(PartialFile(path.clone()));
        assert!(!path.exists());

        let complete = directory.path().join("b.dump");
        fs::write(&path, "").unwrap();
        fs::write(&complete, "").unwrap();
        remove_leftovers(directory.path()).unwrap();
        assert!(!path.exists());
        assert!(complete.exists());
    }
}
