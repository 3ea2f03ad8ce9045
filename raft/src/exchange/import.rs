//! Rows of another engine as the data of a replica.
//!
//! Everything is written beside where it belongs and read back before it counts. The log is held all the time and says that an
//! import is under way, so that no server and no other import comes in between, and nothing starts on what an import left that was
//! cut short or failed: the next one deletes it. At the end the log becomes that of a new replica, in one commit, and then the
//! state gets its name; between the two there is a log that knows of a state which is not there, on which nothing starts either.

use std::sync::Arc;

use openraft::TokioRuntime;
use openraft::type_config::AsyncRuntime;
use redb::Database;
use zephyrfs_core::id::{ChunkId, FileId};
use zephyrfs_core::row::{FileRow, Row};
use zephyrfs_core::store::RowStore;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Dumper, Mutation, ReadSet};

use super::staging::{Staged, Staging};
use crate::disk::{DatabaseKind, Databases, Disk, Files, open_database};
use crate::error::StoreError;
use crate::kv::Base;
use crate::log::{NewLog, log_id_from_record};
use crate::state::{LogIdRecord, State};
use crate::types::Peer;

const CACHE_BYTES: usize = 256 << 20;

/// So much is written in one commit, and kept in memory before.
const COMMIT_BYTES: usize = 32 << 20;

/// The term that an import counts as. The replica leads in the next one.
const TERM: u64 = 1;

/// What an import made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The id of the new cluster, of which this replica is the only member.
    pub cluster_id: String,
}

/// Takes rows, kind by kind.
pub struct Importer<D: Disk = Files> {
    // Before the database that it reads.
    state: State,
    database: Database,
    staging: Stage,
    waiting: Vec<Mutation>,
    added: Dumper,
    latest: Timestamp,
    // After the databases: files that are closed are deleted.
    place: Place<D>,
    log: NewLog,
}

/// Where it is written; what was is deleted when this is dropped, unless it has its name by then.
struct Place<D: Disk>(D);

impl<D: Disk> Drop for Place<D> {
    fn drop(&mut self) {
        for kind in [DatabaseKind::Incoming, DatabaseKind::Staging] {
            if let Err(error) = self.0.remove(kind) {
                tracing::warn!(%error, "What is left of an import is not deleted; the next start tries again");
            }
        }
    }
}

/// How far it is.
enum Stage {
    /// Files and chunks may come.
    Open(Box<Staging>),
    /// All of them are written.
    Done,
}

impl Importer {
    /// Begins to import into a data directory that holds no data.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`], or what is wrong with the directory.
    pub fn begin(disk: Files) -> Result<Self, StoreError> {
        Self::begin_on::<TokioRuntime>(disk)
    }

    /// All rows were added: they are the state of a new cluster of one, durably, as of one index after `index`. Who watched the
    /// service that they are of begins anew, since no change is remembered.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] if the rows are not all of one state; or why they cannot be written.
    pub fn finish(self, index: AppliedIndex, peer: &Peer) -> Result<Imported, StoreError> {
        self.finish_on::<TokioRuntime>(index, peer)
    }
}

impl<D: Disk> Importer<D> {
    pub(crate) fn begin_on<R: AsyncRuntime>(disk: D) -> Result<Self, StoreError> {
        let log = NewLog::take::<R, D>(&disk)?;
        let place = Place(disk);
        let disk = &place.0;
        disk.discard_incoming()?;
        let database = open_database(disk, DatabaseKind::Incoming, CACHE_BYTES)?;
        Base::create(&database)?;
        let base = Arc::new(Base::last(&database)?);
        let state = State::open(base, &disk.name(DatabaseKind::Incoming))?;
        let staging = Stage::Open(Box::new(Staging::begin(disk)?));
        Ok(Self {
            state,
            database,
            staging,
            waiting: Vec::new(),
            added: Dumper::default(),
            latest: Timestamp::EPOCH,
            place,
            log,
        })
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] if it does not fit to those before; or why it cannot be written.
    pub fn add(&mut self, row: Row) -> Result<(), StoreError> {
        self.added.add(&row).map_err(unfit)?;
        self.latest = self.latest.max(row.latest_time());
        let is_late = matches!(
            row,
            Row::Sharer(..) | Row::Release(..) | Row::Request(..) | Row::Task(..)
        );
        if is_late {
            self.lay_out()?;
        }
        let mutation = match row {
            Row::Node(id, row) => Mutation::PutNode(id, row),
            Row::Beat(id, row) => Mutation::PutBeat(id, row),
            Row::File(id, row) => return self.staging()?.file(&id, &row),
            Row::Chunk(id, row) => return self.staging()?.chunk(&id, &row),
            Row::Sharer(chunk, file, index) => Mutation::PutSharer(chunk, file, index),
            Row::Release(id, row) => Mutation::PutRelease(id, row),
            Row::Request(key, row) => Mutation::PutRequest(key, row),
            Row::Task(node, chunk, row) => Mutation::PutTask(node, chunk, row),
        };
        self.waiting.push(mutation);
        self.write_if(1_000)
    }

    fn staging(&mut self) -> Result<&mut Staging, StoreError> {
        match &mut self.staging {
            Stage::Open(staging) => Ok(staging),
            Stage::Done => Err(unfit("files and chunks come after what follows them")),
        }
    }

    /// Writes what waits if it is so much.
    fn write_if(&mut self, enough: usize) -> Result<(), StoreError> {
        if self.waiting.len() < enough {
            return Ok(());
        }
        self.state.write(&self.waiting).map_err(|error| match error {
            // The rows do not refer to each other as they should: nothing on a disk is damaged.
            StoreError::Corrupt { detail, .. } => unfit(detail),
            error => error,
        })?;
        self.waiting.clear();
        if self.state.unflushed_bytes() > COMMIT_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if let Some(frozen) = self.state.freeze()? {
            Base::commit(&self.database, &frozen)?;
            self.state.flushed(Base::last(&self.database)?);
        }
        Ok(())
    }

    /// Writes the files, each with the chunks that it is the home of, and then the chunks that lie with none: those that no file
    /// holds, and those that a file still holds which was deleted or replaced, until that is worked off.
    fn lay_out(&mut self) -> Result<(), StoreError> {
        let Stage::Open(staging) = std::mem::replace(&mut self.staging, Stage::Done) else {
            return Ok(());
        };
        self.write_if(1)?;
        let staged = staging.end()?;
        for file in staged.files()? {
            let (id, row) = file?;
            self.lay_out_file(&staged, id, row)?;
        }
        for chunk in staged.chunks()? {
            let (id, row) = chunk?;
            if row.home.is_none() || !self.is_laid_out(&id)? {
                self.waiting.push(Mutation::PutChunk(id, row));
                self.write_if(1_000)?;
            }
        }
        drop(staged);
        self.place.0.remove(DatabaseKind::Staging)
    }

    fn is_laid_out(&self, id: &ChunkId) -> Result<bool, StoreError> {
        let reads = ReadSet {
            chunks: vec![id.clone()],
            ..ReadSet::default()
        };
        Ok(self.state.load(&reads)?.chunks.contains_key(id))
    }

    fn lay_out_file(&mut self, staged: &Staged, id: FileId, row: FileRow) -> Result<(), StoreError> {
        for held in &*row.chunks {
            let chunk = staged.chunk(&held.id)?;
            let chunk =
                chunk.ok_or_else(|| unfit(format!("file {id} has chunk {}, which is missing", held.id)))?;
            if chunk.home.as_ref() == Some(&id) && chunk.index == held.index {
                self.waiting.push(Mutation::PutChunk(held.id.clone(), chunk));
            }
        }
        self.waiting.push(Mutation::PutFile(id, row));
        // Each file by itself: one that comes with the chunks of another takes those for its own that both hold.
        self.write_if(1)
    }

    pub(crate) fn finish_on<R: AsyncRuntime>(
        mut self,
        index: AppliedIndex,
        peer: &Peer,
    ) -> Result<Imported, StoreError> {
        self.lay_out()?;
        self.write_if(1)?;
        self.commit()?;
        self.check()?;
        let applied = LogIdRecord {
            term: TERM,
            index: index
                .get()
                .checked_add(1)
                .ok_or_else(|| unfit("no index follows theirs"))?,
        };
        let header = self.state.header_mut();
        header.raft_id = self.log.raft_id();
        header.applied = Some(applied);
        header.last_time = self.latest;
        self.commit()?;
        let Self {
            state,
            database,
            place,
            log,
            ..
        } = self;
        drop((state, database));
        let cluster_id = log.begin_cluster::<R>(log_id_from_record::<R>(applied), TERM + 1, peer)?;
        place.0.promote_incoming()?;
        Ok(Imported { cluster_id })
    }

    /// Whether what was written is what was added.
    fn check(&self) -> Result<(), StoreError> {
        let mut read = Dumper::default();
        let mut failed = None;
        self.state.dump(&mut |row| {
            failed = read.add(&row).err();
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(unfit(error));
        }
        if read.digest() == self.added.digest() {
            return Ok(());
        }
        Err(unfit(format!(
            "{} rows were added, and {} rows that are not the same are read back",
            self.added.rows(),
            read.rows()
        )))
    }
}

fn unfit(detail: impl std::fmt::Display) -> StoreError {
    StoreError::Unfit {
        detail: detail.to_string(),
    }
}
