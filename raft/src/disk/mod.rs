//! Where databases are kept: files in a directory, or memory in tests.

mod databases;
mod files;
mod memory;
mod open;
mod untouched;

use redb::StorageBackend;

pub(crate) use databases::Databases;
pub use files::Files;
pub use memory::Memory;
#[cfg(test)]
pub(crate) use memory::SharedBackend;
pub(crate) use open::{look_at_database, open_database};

use crate::error::StoreError;

/// One of a replica's databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseKind {
    /// The Raft log, vote and identity.
    Log,
    /// The applied rows.
    State,
    /// Rows that another replica is sending, to take the place of the state when they are complete.
    Incoming,
    /// Rows that are being imported, before it is known where they belong.
    Staging,
}

impl DatabaseKind {
    /// A table that every database of this kind has from its first commit on.
    const fn landmark(self) -> &'static str {
        match self {
            Self::Log => "values",
            Self::State | Self::Incoming | Self::Staging => "meta",
        }
    }
}

/// Gives out the storage of databases. A simulation gives one that forgets what was not synced. Clones are the same disk.
pub trait Disk: Clone + Send + Sync + 'static {
    /// What a database reads and writes.
    type Backend: StorageBackend;

    /// Opens the storage of a database, empty if there was none. Once this returns, a power cut does not take its name.
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn open(&self, kind: DatabaseKind) -> Result<Self::Backend, StoreError>;

    /// Whether there is a database, whatever is in it.
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn exists(&self, kind: DatabaseKind) -> Result<bool, StoreError>;

    /// Gives a database the name of another, whose storage loses its name and stays readable for whoever has it open. All
    /// at once: there is no moment without the other name. Certain only after [`Disk::sync_names`].
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn rename(&self, from: DatabaseKind, to: DatabaseKind) -> Result<(), StoreError>;

    /// Takes a database's name away, if it has one; its space is free once nobody has it open. A power cut may undo it.
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn remove(&self, kind: DatabaseKind) -> Result<(), StoreError>;

    /// Makes sure that a power cut does not undo what was renamed.
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn sync_names(&self) -> Result<(), StoreError>;

    /// What to call the database in messages.
    fn name(&self, kind: DatabaseKind) -> String;

    /// Bytes that the database takes; zero where nothing can tell.
    fn size(&self, kind: DatabaseKind) -> u64;
}
