//! The log of a replica that begins with a state from elsewhere.

use openraft::type_config::AsyncRuntime;
use redb::Database;

use super::LogId;
use super::identity::{Identity, begin_importing, mint_cluster_id};
use super::recovery::Rebirth;
use super::store::CACHE_BYTES;
use crate::disk::{DatabaseKind, Disk, open_database};
use crate::error::StoreError;
use crate::types::Peer;

/// A log that belongs to nobody yet. While this is held no other process opens it.
pub(crate) struct NewLog {
    database: Database,
    raft_id: u64,
}

impl NewLog {
    /// Takes it, notes in it that an import is under way, and makes up who the replica is to be.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] if it is a replica's or a state is there, or why it cannot be opened.
    pub(crate) fn take<R: AsyncRuntime, D: Disk>(disk: &D) -> Result<Self, StoreError> {
        let database = open_database(disk, DatabaseKind::Log, CACHE_BYTES)?;
        let path = disk.name(DatabaseKind::Log);
        if Identity::load(&database, &path)?.is_some() {
            return Err(StoreError::NotEmpty { path });
        }
        if disk.exists(DatabaseKind::State)? {
            return Err(StoreError::NotEmpty {
                path: disk.name(DatabaseKind::State),
            });
        }
        begin_importing(&database)?;
        Ok(Self {
            database,
            raft_id: Identity::mint::<R>().raft_id,
        })
    }

    /// Who the replica is.
    pub(crate) const fn raft_id(&self) -> u64 {
        self.raft_id
    }

    /// Makes the log, in one commit, that of the only member of a new cluster, whose state is as of `applied` and in which it leads
    /// in `term`. Gives the id of the cluster.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn begin_cluster<R: AsyncRuntime>(
        self,
        applied: LogId<R>,
        term: u64,
        peer: &Peer,
    ) -> Result<String, StoreError> {
        let cluster_id = mint_cluster_id::<R>();
        let beginning = Rebirth::<R> {
            cluster_id: cluster_id.clone(),
            raft_id: self.raft_id,
            term,
            last_index: applied.index,
            purged: Some(applied),
        };
        beginning.write(&self.database, peer)?;
        Ok(cluster_id)
    }
}
