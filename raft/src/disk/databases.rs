//! A disk of whatever kind, for those who need not know which.

use redb::Database;

use super::open::open_database;
use super::{DatabaseKind, Disk};
use crate::error::StoreError;

/// What can be done with databases as a whole.
pub(crate) trait Databases: Send + Sync {
    /// Opens a database, or makes an empty one.
    ///
    /// # Errors
    /// Why it cannot be opened, with what to do about it.
    fn open_database(&self, kind: DatabaseKind, cache_size: usize) -> Result<Database, StoreError>;

    /// Deletes what another replica sent.
    ///
    /// # Errors
    /// [`StoreError::File`].
    fn discard_incoming(&self) -> Result<(), StoreError>;

    /// Makes what another replica sent the state, and returns when no power cut can undo it. Whoever reads the state that
    /// was goes on reading it.
    ///
    /// # Errors
    /// [`StoreError::File`]. Which of the two is the state after a power cut is not certain then.
    fn promote_incoming(&self) -> Result<(), StoreError>;

    /// What to call a database in messages.
    fn database_name(&self, kind: DatabaseKind) -> String;
}

impl<D: Disk> Databases for D {
    fn open_database(&self, kind: DatabaseKind, cache_size: usize) -> Result<Database, StoreError> {
        open_database(self, kind, cache_size)
    }

    fn discard_incoming(&self) -> Result<(), StoreError> {
        self.remove(DatabaseKind::Incoming)
    }

    fn promote_incoming(&self) -> Result<(), StoreError> {
        self.rename(DatabaseKind::Incoming, DatabaseKind::State)?;
        self.sync_names()
    }

    fn database_name(&self, kind: DatabaseKind) -> String {
        self.name(kind)
    }
}
