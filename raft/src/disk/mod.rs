//! Where databases are kept: files in a directory, or memory in tests.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableHandle};

use crate::error::{Doing, StoreError};

mod memory;

pub use memory::Memory;
#[cfg(test)]
pub(crate) use memory::SharedBackend;

/// One of a replica's two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// The Raft log, vote and identity.
    Log,
    /// The applied rows.
    State,
}

impl DatabaseKind {
    /// A table that every database of this kind has from its first commit on.
    const fn landmark(self) -> &'static str {
        match self {
            Self::Log => "values",
            Self::State => "meta",
        }
    }
}

/// Gives out the storage of databases. A simulation gives one that forgets what was not synced.
pub trait Disk: Send + Sync + 'static {
    /// What a database reads and writes.
    type Backend: StorageBackend;

    /// Opens the storage of a database, empty if there was none.
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn open(&self, kind: DatabaseKind) -> Result<Self::Backend, StoreError>;

    /// What to call the database in messages.
    fn name(&self, kind: DatabaseKind) -> String;

    /// Bytes that the database takes; zero where nothing can tell.
    fn size(&self, kind: DatabaseKind) -> u64;
}

/// Two files beside each other: `coordinator.db` holds the state, `coordinator.log.db` the log.
#[derive(Debug, Clone)]
pub struct Files {
    state: PathBuf,
    log: PathBuf,
}

impl Files {
    /// The state in the given file, the log beside it. The directory is made if it is missing.
    ///
    /// # Errors
    /// [`StoreError::File`] if the directory cannot be made.
    pub fn new(state: PathBuf) -> Result<Self, StoreError> {
        if let Some(directory) = state.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
            std::fs::create_dir_all(directory)
                .map_err(|source| file_error("create the data directory", directory, source))?;
            for made in missing.into_iter().filter(|path| !path.as_os_str().is_empty()) {
                sync_directory(made)?;
            }
        }
        let log = state.with_extension("log.db");
        Ok(Self { state, log })
    }

    fn path(&self, kind: DatabaseKind) -> &Path {
        match kind {
            DatabaseKind::Log => &self.log,
            DatabaseKind::State => &self.state,
        }
    }
}

impl Disk for Files {
    type Backend = FileBackend;

    fn open(&self, kind: DatabaseKind) -> Result<FileBackend, StoreError> {
        let path = self.path(kind);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| file_error("open", path, source))?;
        // A new file is lost in a power cut unless the directory that names it is synced too. Whether that was done when the
        // file was new nobody knows any more.
        sync_directory(path)?;
        FileBackend::new(file).doing("open a database file")
    }

    fn name(&self, kind: DatabaseKind) -> String {
        self.path(kind).display().to_string()
    }

    fn size(&self, kind: DatabaseKind) -> u64 {
        std::fs::metadata(self.path(kind)).map_or(0, |metadata| metadata.len())
    }
}

fn sync_directory(file: &Path) -> Result<(), StoreError> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| file_error("sync the data directory", directory, source))
}

fn file_error(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::File {
        doing,
        path: path.display().to_string(),
        source,
    }
}

/// Opens a database, or makes an empty one.
///
/// # Errors
/// Why it cannot be opened, with what to do about it.
pub(crate) fn open_database<D: Disk>(
    disk: &D,
    kind: DatabaseKind,
    cache_size: usize,
) -> Result<Database, StoreError> {
    let backend = disk.open(kind)?;
    let path = disk.name(kind);
    let head = read_head(&backend, &path)?;
    start_over_if_unfinished(&backend, &head, &path)?;
    let opened = Builder::new()
        .set_cache_size(cache_size)
        .set_repair_callback({
            let path = path.clone();
            move |session| {
                tracing::info!(
                    path,
                    progress = session.progress(),
                    "Checking the database after an unclean stop"
                );
            }
        })
        .create_with_backend(backend);
    let database = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::Locked { path: path.clone() }
        }
        DatabaseError::Storage(StorageError::Io(source)) if source.kind() == io::ErrorKind::InvalidData => {
            StoreError::Foreign {
                path: path.clone(),
                hint: foreign_hint(&head),
            }
        }
        DatabaseError::Storage(StorageError::Io(source)) => StoreError::File {
            doing: "open",
            path: path.clone(),
            source,
        },
        DatabaseError::Storage(StorageError::Corrupted(reason)) => StoreError::Damaged {
            path: path.clone(),
            reason,
        },
        other => StoreError::Database {
            doing: "open a database",
            source: Box::new(other.into()),
        },
    })?;
    refuse_strangers(&database, kind, path)?;
    Ok(database)
}

/// Refuses a database of another program, before anything is written into it.
fn refuse_strangers(database: &Database, kind: DatabaseKind, path: String) -> Result<(), StoreError> {
    let transaction = database.begin_read().doing("begin reading")?;
    let mut tables = transaction.list_tables().doing("list the tables")?.peekable();
    let is_empty = tables.peek().is_none();
    if is_empty || tables.any(|table| table.name() == kind.landmark()) {
        return Ok(());
    }
    Err(StoreError::Foreign {
        path,
        hint: " (it was written by another program that uses redb too)",
    })
}

/// Empties a file whose making was cut short: it has a length, and nothing else yet. Nothing was ever stored in it, since
/// the first thing that a finished one has is a mark at its beginning.
fn start_over_if_unfinished(
    backend: &impl StorageBackend,
    head: &[u8],
    path: &str,
) -> Result<(), StoreError> {
    let is_unfinished = !head.is_empty() && head.iter().all(|&byte| byte == 0);
    if !is_unfinished {
        return Ok(());
    }
    let whole = || (Bound::Unbounded, Bound::Unbounded);
    // Somebody else may be making it at this moment.
    if let Ok(false) = backend.try_lock_range(whole().0, whole().1) {
        return Err(StoreError::Locked {
            path: path.to_owned(),
        });
    }
    backend.set_len(0).map_err(|source| StoreError::File {
        doing: "empty",
        path: path.to_owned(),
        source,
    })?;
    tracing::info!(path, "The making of this database was cut short; it is made anew");
    Ok(())
}

/// The first bytes of a file, to say what it looks like when it is no database of ours.
fn read_head(backend: &impl StorageBackend, path: &str) -> Result<Vec<u8>, StoreError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut head = vec![0; usize::try_from(backend.len()?.min(64)).unwrap_or(64)];
        backend.read(0, &mut head)?;
        Ok(head)
    };
    read().map_err(|source| StoreError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

/// The older server kept its data in a bbolt file, whose first page has this number at offset 16.
const BBOLT_MAGIC: [u8; 4] = 0xED0C_DAEDu32.to_le_bytes();

fn foreign_hint(head: &[u8]) -> &'static str {
    if head.get(16..20) == Some(&BBOLT_MAGIC) {
        " (it looks like the bbolt file of an older server, which cannot be read)"
    } else {
        ""
    }
}
