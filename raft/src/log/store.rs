//! The log as openraft uses it.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use futures::channel::oneshot;
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::type_config::AsyncRuntime;
use redb::{Database, ReadableDatabase, ReadableTable};

use super::identity::Identity;
use super::reader::LogReader;
use super::record::{ENTRIES, VALUES, decode_entry, decode_value, decode_vote, log_id_from_record};
use super::shared::Shared;
use super::tail::{Tail, size_of};
use super::volume::Volume;
use super::write::{Change, Waiting};
use super::writer::{COMMITTED_KEY, PURGED_KEY, VOTE_KEY, Writer};
use super::{Entry, LogId, Vote};
use crate::disk::{DatabaseKind, Disk, open_database};
use crate::error::{Doing, StoreError};
use crate::state::LogIdRecord;
use crate::types::Types;
use crate::workers::Workers;

/// The log's pages are written once and seldom read again, so a small cache will do.
pub(super) const CACHE_BYTES: usize = 8 << 20;

/// The log of one replica.
pub(crate) struct LogStore<R: AsyncRuntime> {
    shared: Arc<Shared<R>>,
    database: Arc<Database>,
    identity: Arc<RwLock<Arc<Identity>>>,
}

impl<R: AsyncRuntime> Clone for LogStore<R> {
    fn clone(&self) -> Self {
        let Self {
            shared,
            database,
            identity,
        } = self;
        Self {
            shared: Arc::clone(shared),
            database: Arc::clone(database),
            identity: Arc::clone(identity),
        }
    }
}

impl<R: AsyncRuntime> LogStore<R> {
    /// Opens the log, or makes an empty one with a new identity, and starts its writer.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(crate) fn open<D: Disk>(disk: &D, workers: &dyn Workers) -> Result<Self, StoreError> {
        let path = disk.name(DatabaseKind::Log);
        let database = open_database(disk, DatabaseKind::Log, CACHE_BYTES)?;
        let identity = Identity::load_or_mint::<R>(&database, &path)?;
        let tail = load::<R>(&database)?;
        let (last, purged) = (
            tail.last.map(|last| last.index),
            tail.purged.map(|purged| purged.index),
        );
        let database = Arc::new(database);
        let shared = Arc::new(Shared::new(tail));
        let writer = Writer::new(Arc::clone(&database), Arc::clone(&shared), last, purged);
        workers
            .start("raft-log", Box::pin(writer.run()))
            .map_err(|source| StoreError::File {
                doing: "start the writer of",
                path,
                source,
            })?;
        Ok(Self {
            shared,
            database,
            identity: Arc::new(RwLock::new(Arc::new(identity))),
        })
    }

    /// Who this replica is.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes this replica one of a cluster, durably.
    ///
    /// # Errors
    /// Why that could not be written.
    pub(crate) async fn belong_to(&self, cluster_id: String, is_founder: bool) -> Result<(), StoreError> {
        let identity = Identity {
            cluster_id,
            is_founder,
            raft_id: self.identity().raft_id,
        };
        self.save(Change::Identity(identity.clone())).await?;
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity);
        Ok(())
    }

    /// Whether there is neither an entry nor a vote.
    pub(crate) fn is_empty(&self) -> bool {
        let tail = self.shared.tail();
        tail.last.is_none() && tail.vote.is_none()
    }

    /// Writes a single value, or none, and waits until it and everything before it is durable.
    async fn save(&self, change: impl Into<Option<Change<R>>>) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        self.shared
            .push(change, Some(Waiting::Value(tell)))
            .map_err(|error| StoreError::Stopped(error.to_string()))?;
        told.await
            .unwrap_or_else(|_| Err(StoreError::Stopped("the log is closed".to_owned())))
    }

    /// Waits until everything that was handed to the log so far is durable.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) async fn until_durable(&self) -> Result<(), StoreError> {
        self.save(None).await
    }

    /// Whether entries were purged, so that the log alone does not make up the state.
    pub(crate) fn is_purged(&self) -> bool {
        self.shared.tail().purged.is_some()
    }

    /// Bytes appended since this was last asked, roughly.
    pub(crate) fn growth(&self) -> u64 {
        self.shared.growth()
    }

    /// Up to where it must be purged to keep at most so many bytes; none if it keeps no more than that.
    pub(crate) fn excess(&self, limit: u64) -> Option<u64> {
        self.shared.tail().volume().excess(limit)
    }

    /// Bytes of the entries that are kept, roughly.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.shared.tail().volume().bytes()
    }

    /// Why the log cannot be written any more, if that is so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.check().err().map(|error| error.to_string())
    }

    /// Writes what waits; the file is closed once nobody reads it any more.
    pub(crate) async fn close(&self) {
        self.shared.queue.close();
        self.shared.until_closed().await;
    }
}

pub(super) fn load<R: AsyncRuntime>(database: &Database) -> Result<Tail<R>, StoreError> {
    let transaction = database.begin_read().doing("begin reading the log")?;
    let values = transaction.open_table(VALUES).doing("open the log's values")?;
    let read = |key| -> Result<Option<Vec<u8>>, StoreError> {
        Ok(values
            .get(key)
            .doing("read the log's values")?
            .map(|value| value.value().to_vec()))
    };
    let log_id = |key| -> Result<Option<LogId<R>>, StoreError> {
        let record: Option<LogIdRecord> = read(key)?.map(|bytes| decode_value(&bytes)).transpose()?;
        Ok(record.map(log_id_from_record::<R>))
    };
    let purged = log_id(PURGED_KEY)?;
    let entries = transaction.open_table(ENTRIES).doing("open the log's entries")?;
    let last = match entries.last().doing("read the last entry")? {
        Some((index, bytes)) => Some(decode_entry::<R>(index.value(), bytes.value())?.log_id),
        None => None,
    };
    let vote = read(VOTE_KEY)?
        .map(|bytes| decode_vote::<R>(&bytes))
        .transpose()?;
    // What is purged may not be removed yet.
    let volume = Volume::estimate(&entries, purged.map_or(0, |purged| purged.index + 1))?;
    let committed = log_id(COMMITTED_KEY)?;
    Ok(Tail::new(last.max(purged), purged, vote, committed, volume))
}

impl<R: AsyncRuntime> RaftLogStorage<Types<R>> for LogStore<R> {
    type LogReader = LogReader<R>;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types<R>>> {
        let tail = self.shared.tail();
        Ok(LogState {
            last_purged_log_id: tail.purged,
            last_log_id: tail.last,
        })
    }

    async fn get_log_reader(&mut self) -> LogReader<R> {
        LogReader::new(Arc::clone(&self.shared), Arc::clone(&self.database))
    }

    async fn save_vote(&mut self, vote: &Vote<R>) -> io::Result<()> {
        self.save(Change::Vote(*vote)).await?;
        self.shared.tail_mut().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId<R>>) -> io::Result<()> {
        // Written along with the next entries: a lost one is found again from the leader.
        self.shared.tail_mut().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId<R>>> {
        Ok(self.shared.tail().committed)
    }

    async fn append<I>(&mut self, entries: I, flushed: IOFlushed<Types<R>>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry<R>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry<R>> = entries.into_iter().collect();
        self.shared.grew(entries.iter().map(size_of::<R>).sum());
        {
            let mut tail = self.shared.tail_mut();
            for entry in &entries {
                tail.push(entry.clone());
            }
        }
        self.shared
            .push(Change::Append(entries), Some(Waiting::Append(flushed)))
    }

    async fn truncate_after(&mut self, last: Option<LogId<R>>) -> io::Result<()> {
        self.shared.tail_mut().truncate(last);
        self.shared.push(Change::Truncate(last), None)
    }

    async fn purge(&mut self, upto: LogId<R>) -> io::Result<()> {
        self.shared.tail_mut().purge(upto);
        self.shared.push(Change::Purge(upto), None)
    }
}
