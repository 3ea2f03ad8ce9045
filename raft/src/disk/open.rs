//! Opening a database, with words for everything that may be in its place.

use std::io;
use std::ops::Bound;

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableHandle};

use super::untouched::Untouched;
use super::{DatabaseKind, Disk};
use crate::error::{Doing, StoreError};

/// Opens a database, or makes an empty one.
///
/// # Errors
/// Why it cannot be opened, with what to do about it.
pub(crate) fn open_database<D: Disk>(
    disk: &D,
    kind: DatabaseKind,
    cache_size: usize,
) -> Result<Database, StoreError> {
    open_backend(disk.open(kind)?, disk.name(kind), kind, cache_size)
}

/// Opens a database that is there, to look at it: nothing on the disk changes, not even what opening it would repair.
///
/// # Errors
/// Why it cannot be opened, with what to do about it.
pub(crate) fn look_at_database<D: Disk>(
    disk: &D,
    kind: DatabaseKind,
    cache_size: usize,
) -> Result<Option<Database>, StoreError> {
    if !disk.exists(kind)? {
        return Ok(None);
    }
    let path = disk.name(kind);
    let untouched = Untouched::new(disk.open(kind)?).map_err(|source| StoreError::File {
        doing: "read",
        path: path.clone(),
        source,
    })?;
    open_backend(untouched, path, kind, cache_size).map(Some)
}

fn open_backend(
    backend: impl StorageBackend,
    path: String,
    kind: DatabaseKind,
    cache_size: usize,
) -> Result<Database, StoreError> {
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
