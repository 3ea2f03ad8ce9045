//! The log of a replica that is not running.

use std::ops::Bound;

use openraft::type_config::AsyncRuntime;
use redb::{Database, ReadableDatabase};

use super::Entry;
use super::identity::{Identity, refuse_half_an_import};
use super::pairing::check_same_replica;
use super::record::{ENTRIES, decode_entry};
use super::store::{CACHE_BYTES, load};
use super::tail::Tail;
use crate::disk::{DatabaseKind, Disk, look_at_database};
use crate::error::{Doing, StoreError};

/// The log of a replica that is not running, to be read.
pub(crate) struct StoppedLog<R: AsyncRuntime> {
    database: Database,
    raft_id: u64,
    tail: Tail<R>,
}

impl<R: AsyncRuntime> StoppedLog<R> {
    /// Opens it without changing anything; `None` if there is no log of a replica.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn open<D: Disk>(disk: &D) -> Result<Option<Self>, StoreError> {
        let Some(database) = look_at_database(disk, DatabaseKind::Log, CACHE_BYTES)? else {
            return Ok(None);
        };
        let path = disk.name(DatabaseKind::Log);
        let Some(identity) = Identity::load(&database, &path)? else {
            refuse_half_an_import(&database, &path)?;
            return Ok(None);
        };
        let tail = load::<R>(&database)?;
        Ok(Some(Self {
            database,
            raft_id: identity.raft_id,
            tail,
        }))
    }

    /// Who the replica is.
    pub(crate) const fn raft_id(&self) -> u64 {
        self.raft_id
    }

    /// Refuses a state that is not of this replica.
    ///
    /// # Errors
    /// [`StoreError::Mismatched`].
    pub(crate) fn check_pair<D: Disk>(&self, disk: &D, raft_id_of_state: u64) -> Result<(), StoreError> {
        check_same_replica(disk, self.raft_id, self.tail.purged.is_some(), raft_id_of_state)
    }

    /// The entries after the last one that was applied, if any was, up to the end of the log.
    ///
    /// # Errors
    /// Why they cannot be read; that some of them were purged is [`StoreError::Corrupt`].
    pub(crate) fn entries_after(
        &self,
        applied: Option<u64>,
    ) -> Result<impl Iterator<Item = Result<Entry<R>, StoreError>> + use<R>, StoreError> {
        let purged = self.tail.purged.as_ref().map(|purged| purged.index);
        if purged > applied {
            let detail = format!("the log begins after index {purged:?}, and the state ends at {applied:?}");
            return Err(StoreError::corrupt("log", detail));
        }
        let transaction = self.database.begin_read().doing("begin reading the log")?;
        let entries = transaction.open_table(ENTRIES).doing("open the log's entries")?;
        // The first entry of all has index 0.
        let after = (
            applied.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        let entries = entries.range::<u64>(after).doing("read the log")?;
        let mut expected = applied.map(|applied| applied + 1);
        Ok(entries.map(move |entry| {
            let (index, bytes) = entry.doing("read the log")?;
            let index = index.value();
            if expected.is_some_and(|expected| expected != index) {
                let detail = format!("entry {index} follows where {expected:?} is missing");
                return Err(StoreError::corrupt("log", detail));
            }
            expected = Some(index + 1);
            decode_entry::<R>(index, bytes.value())
        }))
    }
}
