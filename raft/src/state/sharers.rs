//! Files that hold a chunk beside its home: rows of their own, one for each pair.

use std::ops::Bound;

use zephyrfs_core::id::{ChunkId, FileId, pack, unpack};

use super::{decode, encode};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

/// The first sharer of a chunk by file id, with the chunk's index in it.
pub(super) fn first(layered: &Layered, chunk: &ChunkId) -> Result<Option<(FileId, u32)>, StoreError> {
    let prefix = prefix(chunk);
    let next = layered
        .range(Table::Sharers, (Bound::Included(&prefix), Bound::Unbounded))?
        .next();
    let Some((key, value)) = next.transpose()?.filter(|(key, _)| key.starts_with(&prefix)) else {
        return Ok(None);
    };
    let (_, file) = parse_key(&key)?;
    Ok(Some((file, decode(Table::Sharers, &value)?)))
}

/// The chunk's index in a file, if the file is among its sharers.
pub(super) fn index_in(layered: &Layered, chunk: &ChunkId, file: &FileId) -> Result<Option<u32>, StoreError> {
    let value = layered.get(Table::Sharers, &key_of(chunk, file))?;
    value.map(|value| decode(Table::Sharers, &value)).transpose()
}

/// Writes a sharer.
pub(super) fn put(
    layered: &mut Layered,
    chunk: &ChunkId,
    file: &FileId,
    index: u32,
) -> Result<(), StoreError> {
    layered.put(
        Table::Sharers,
        &key_of(chunk, file),
        encode(Table::Sharers, &index)?,
    );
    Ok(())
}

/// Deletes a sharer.
pub(super) fn delete(layered: &mut Layered, chunk: &ChunkId, file: &FileId) {
    layered.delete(Table::Sharers, &key_of(chunk, file));
}

/// The key of a sharer: the chunk's packed id behind its length, so that no id is the beginning of another, then the file.
fn key_of(chunk: &ChunkId, file: &FileId) -> Vec<u8> {
    let mut key = prefix(chunk);
    key.extend_from_slice(file.as_str().as_bytes());
    key
}

fn prefix(chunk: &ChunkId) -> Vec<u8> {
    let packed = pack(chunk.as_str());
    // Ids are limited to far less than 64 KiB; a longer one would only sort elsewhere.
    let length = u16::try_from(packed.len()).unwrap_or(u16::MAX);
    let mut key = Vec::with_capacity(2 + packed.len() + 40);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(&packed);
    key
}

pub(super) fn parse_key(key: &[u8]) -> Result<(ChunkId, FileId), StoreError> {
    let parse = || {
        let (length, rest) = key.split_first_chunk::<2>()?;
        let (chunk, file) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some((
            ChunkId::new(unpack(chunk).ok()?),
            FileId::from(std::str::from_utf8(file).ok()?),
        ))
    };
    parse().ok_or_else(|| StoreError::corrupt(Table::Sharers.name(), "a key that is none"))
}
