//! Files and chunks of an import, until all of them are there.
//!
//! A dump has the chunks after the files, in any order; on disk the chunks of a file lie together. So both wait in a database
//! of their own, by id.

use redb::Database;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zephyrfs_core::id::{ChunkId, FileId};
use zephyrfs_core::row::{ChunkRow, FileRow};

use crate::disk::{DatabaseKind, Disk, open_database};
use crate::error::StoreError;
use crate::kv::{Base, Layer, Table};

const CACHE_BYTES: usize = 256 << 20;

/// Rows are written in portions of about so many bytes.
const PORTION: usize = 32 << 20;

/// Tables of the state are borrowed: what lies in them here is a row as it came, by its id.
const FILES: Table = Table::Files;
const CHUNKS: Table = Table::Segments;

/// Takes rows.
pub(super) struct Staging {
    waiting: Layer,
    database: Database,
}

/// Gives them back.
pub(super) struct Staged {
    // Before the database that it reads.
    base: Base,
    _database: Database,
}

impl Staging {
    /// Begins with nothing.
    pub(super) fn begin<D: Disk>(disk: &D) -> Result<Self, StoreError> {
        disk.remove(DatabaseKind::Staging)?;
        let database = open_database(disk, DatabaseKind::Staging, CACHE_BYTES)?;
        Base::create(&database)?;
        Ok(Self {
            waiting: Layer::default(),
            database,
        })
    }

    /// Takes a file.
    pub(super) fn file(&mut self, id: &FileId, row: &FileRow) -> Result<(), StoreError> {
        self.add(FILES, id.as_str(), row)
    }

    /// Takes a chunk.
    pub(super) fn chunk(&mut self, id: &ChunkId, row: &ChunkRow) -> Result<(), StoreError> {
        self.add(CHUNKS, id.as_str(), row)
    }

    fn add(&mut self, table: Table, id: &str, row: &impl Serialize) -> Result<(), StoreError> {
        let row = bincode::serde::encode_to_vec(row, bincode::config::standard());
        let row = row.map_err(|error| StoreError::corrupt(table.name(), error))?;
        self.waiting.set(table, id.as_bytes(), Some(row.into()));
        if self.waiting.bytes() > PORTION {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        Base::commit(&self.database, &std::mem::take(&mut self.waiting))
    }

    /// Everything is there.
    pub(super) fn end(mut self) -> Result<Staged, StoreError> {
        self.write()?;
        Ok(Staged {
            base: Base::last(&self.database)?,
            _database: self.database,
        })
    }
}

impl Staged {
    /// Every file, by id.
    pub(super) fn files(
        &self,
    ) -> Result<impl Iterator<Item = Result<(FileId, FileRow), StoreError>> + use<>, StoreError> {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        Ok(self.base.range(FILES, all)?.map(|pair| {
            let (key, row) = pair?;
            Ok((FileId::from(text(&key)?), decode(&row)?))
        }))
    }

    /// Every chunk, by id.
    pub(super) fn chunks(
        &self,
    ) -> Result<impl Iterator<Item = Result<(ChunkId, ChunkRow), StoreError>> + use<>, StoreError> {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        Ok(self.base.range(CHUNKS, all)?.map(|pair| {
            let (key, row) = pair?;
            Ok((ChunkId::from(text(&key)?), decode(&row)?))
        }))
    }

    /// A chunk.
    pub(super) fn chunk(&self, id: &ChunkId) -> Result<Option<ChunkRow>, StoreError> {
        let row = self.base.get(CHUNKS, id.as_str().as_bytes())?;
        row.map(|row| decode(&row)).transpose()
    }
}

fn text(key: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(key).map_err(|error| StoreError::corrupt("staging", error))
}

fn decode<T: DeserializeOwned>(row: &[u8]) -> Result<T, StoreError> {
    bincode::serde::decode_from_slice(row, bincode::config::standard())
        .map(|(row, _)| row)
        .map_err(|error| StoreError::corrupt("staging", error))
}
