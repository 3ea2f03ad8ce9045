//! Files: a short row by id, and the chunks in segments under the file's handle.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use zephyrfs_core::event::OldFile;
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
use zephyrfs_core::row::{ChunkRow, FileChunk, FileRow};
use zephyrfs_core::units::{ByteSize, Timestamp};

use super::chunks::{self, Changes, Indexed};
use super::registry::Registry;
use super::segment::{Entry, Place, SEGMENT, Segment};
use super::usages::Counts;
use super::{decode, encode};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

/// A file as stored, without its chunks.
#[derive(Serialize, Deserialize)]
struct StoredFile {
    name: String,
    size: ByteSize,
    hash: ContentHash,
    owner: Option<NodeId>,
    created_at: Timestamp,
    handle: u64,
    chunks: u32,
}

/// A file's row.
pub(super) fn load(layered: &Layered, id: &FileId) -> Result<Option<FileRow>, StoreError> {
    read(layered, id)?
        .map(|stored| to_row(layered, stored))
        .transpose()
}

/// The rows of a page of files after an id.
pub(super) fn page<'a>(
    layered: &'a Layered,
    after: Option<&'a FileId>,
) -> Result<impl Iterator<Item = Result<(FileId, FileRow), StoreError>> + 'a, StoreError> {
    let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_str().as_bytes()));
    Ok(layered
        .range(Table::Files, (from, Bound::Unbounded))?
        .map(|pair| {
            let (key, value) = pair?;
            let id = FileId::from(super::text_key(Table::Files, &key)?);
            Ok((id, to_row(layered, decode(Table::Files, &value)?)?))
        }))
}

fn read(layered: &Layered, id: &FileId) -> Result<Option<StoredFile>, StoreError> {
    let bytes = layered.get(Table::Files, id.as_str().as_bytes())?;
    bytes.map(|bytes| decode(Table::Files, &bytes)).transpose()
}

fn to_row(layered: &Layered, stored: StoredFile) -> Result<FileRow, StoreError> {
    let StoredFile {
        name,
        size,
        hash,
        owner,
        created_at,
        handle,
        chunks,
    } = stored;
    let mut held = Vec::with_capacity(chunks as usize);
    for segment in 0..segments(chunks) {
        let segment =
            chunks::read_segment(layered, Place { handle, segment })?.ok_or_else(|| missing(handle))?;
        held.extend(segment.entries.iter().map(|entry| {
            let (id, index) = entry.chunk();
            FileChunk {
                id: id.clone(),
                index,
            }
        }));
    }
    if held.len() != chunks as usize {
        return Err(missing(handle));
    }
    Ok(FileRow {
        name,
        size,
        hash,
        owner,
        created_at,
        chunks: held.into(),
    })
}

fn missing(handle: u64) -> StoreError {
    StoreError::corrupt(
        Table::Segments.name(),
        format!("chunks of the file with handle {handle} are missing"),
    )
}

/// How many segments so many chunks take.
fn segments(chunks: u32) -> u32 {
    chunks.div_ceil(SEGMENT as u32)
}

/// Chunks that are written in the same go as the file, not yet placed.
pub(super) type Unplaced<'a> = BTreeMap<&'a ChunkId, &'a ChunkRow>;

/// Writes a file. Of `unplaced`, the chunks that are new are taken out and laid under the file's handle.
pub(super) fn put(
    layered: &mut Layered,
    registry: &Registry,
    counts: &mut Counts<'_>,
    changes: &mut Changes,
    next_handle: &mut u64,
    (id, row): (&FileId, &FileRow),
    unplaced: &mut Unplaced<'_>,
) -> Result<(), StoreError> {
    let before = read(layered, id)?;
    let FileRow {
        name,
        size,
        hash,
        owner,
        created_at,
        chunks,
    } = row;
    let mut stored = StoredFile {
        name: name.clone(),
        size: *size,
        hash: hash.clone(),
        owner: owner.clone(),
        created_at: *created_at,
        handle: 0,
        chunks: u32::try_from(chunks.len())
            .map_err(|_| StoreError::corrupt(Table::Files.name(), "too many chunks"))?,
    };
    let same_chunks = match &before {
        Some(before) => holds(layered, before, row)?,
        None => false,
    };
    let old = before.as_ref().map(|old| OldFile {
        name: &old.name,
        owner: old.owner.as_ref(),
        has_same_content: same_chunks && old.hash == *hash && old.size == *size,
    });
    counts.recorder.file_written(id, old, row);
    match before {
        Some(before) if same_chunks => stored.handle = before.handle,
        before => {
            if let Some(before) = before {
                let_go(layered, changes, &before)?;
            }
            stored.handle = *next_handle;
            *next_handle += 1;
            lay_out(
                layered,
                registry,
                counts,
                changes,
                stored.handle,
                (id, row),
                unplaced,
            )?;
        }
    }
    layered.put(
        Table::Files,
        id.as_str().as_bytes(),
        encode(Table::Files, &stored)?,
    );
    Ok(())
}

/// Deletes a file. The records of its chunks stay where they lie; who holds them is the chunks' own affair.
pub(super) fn delete(
    layered: &mut Layered,
    counts: &mut Counts<'_>,
    changes: &mut Changes,
    id: &FileId,
) -> Result<(), StoreError> {
    let Some(before) = read(layered, id)? else {
        return Ok(());
    };
    let_go(layered, changes, &before)?;
    counts.recorder.file_deleted(id);
    layered.delete(Table::Files, id.as_str().as_bytes());
    Ok(())
}

/// Whether the file is stored with these very chunks.
fn holds(layered: &Layered, stored: &StoredFile, row: &FileRow) -> Result<bool, StoreError> {
    let mut held = 0;
    for segment in 0..segments(stored.chunks) {
        let place = Place {
            handle: stored.handle,
            segment,
        };
        let segment = chunks::read_segment(layered, place)?.ok_or_else(|| missing(stored.handle))?;
        for entry in &segment.entries {
            let (id, index) = entry.chunk();
            if row
                .chunks
                .get(held)
                .is_none_or(|chunk| chunk.id != *id || chunk.index != index)
            {
                return Ok(false);
            }
            held += 1;
        }
    }
    Ok(held == row.chunks.len())
}

/// Lays the chunks of a file under its handle: the records of new ones, the names of those that lie elsewhere.
fn lay_out(
    layered: &mut Layered,
    registry: &Registry,
    counts: &mut Counts<'_>,
    changes: &mut Changes,
    handle: u64,
    (file, row): (&FileId, &FileRow),
    unplaced: &mut Unplaced<'_>,
) -> Result<(), StoreError> {
    for (number, held) in (0..).zip(row.chunks.chunks(SEGMENT)) {
        let place = Place {
            handle,
            segment: number,
        };
        let mut segment = Segment {
            file: file.clone(),
            created_at: row.created_at,
            entries: Vec::with_capacity(held.len()),
        };
        for FileChunk { id, index } in held {
            let entry = match take_new(layered, id, unplaced)? {
                Some((chunk, indexed)) => {
                    indexed.add(layered, place);
                    chunks::note_orphan(layered, id, None, chunk);
                    counts.recorder.chunk_written(id, None, chunk);
                    let record = segment.to_record(id, chunk, registry)?;
                    counts.usages.add(&record);
                    Entry::Here(record)
                }
                None => Entry::Elsewhere(id.clone(), *index),
            };
            segment.entries.push(entry);
        }
        changes.insert(place, segment);
    }
    Ok(())
}

/// Takes a chunk out of `unplaced` that has no record yet, with what the index says of it.
fn take_new<'a>(
    layered: &Layered,
    id: &ChunkId,
    unplaced: &mut Unplaced<'a>,
) -> Result<Option<(&'a ChunkRow, Indexed)>, StoreError> {
    if !unplaced.contains_key(id) {
        return Ok(None);
    }
    let indexed = Indexed::look_up(layered, id)?;
    if indexed.find(layered, id)?.is_some() {
        return Ok(None);
    }
    Ok(unplaced.remove(id).map(|chunk| (chunk, indexed)))
}

/// Forgets the names of chunks that lie elsewhere; what is left are records that others may need.
fn let_go(layered: &Layered, changes: &mut Changes, stored: &StoredFile) -> Result<(), StoreError> {
    for number in 0..segments(stored.chunks) {
        let place = Place {
            handle: stored.handle,
            segment: number,
        };
        let segment = changes
            .segment(layered, place)?
            .ok_or_else(|| missing(stored.handle))?;
        segment.entries.retain(|entry| matches!(entry, Entry::Here(_)));
    }
    Ok(())
}

/// Lays a chunk that no new file brings by itself.
pub(super) fn lay_out_alone(
    layered: &mut Layered,
    registry: &Registry,
    counts: &mut Counts<'_>,
    changes: &mut Changes,
    next_handle: &mut u64,
    (id, row): (&ChunkId, &ChunkRow),
) -> Result<(), StoreError> {
    let place = Place {
        handle: *next_handle,
        segment: 0,
    };
    *next_handle += 1;
    let file = row.home.clone().unwrap_or_else(|| FileId::from(""));
    let mut segment = Segment {
        file,
        created_at: row.created_at,
        entries: Vec::with_capacity(1),
    };
    let record = segment.to_record(id, row, registry)?;
    counts.usages.add(&record);
    segment.entries.push(Entry::Here(record));
    Indexed::look_up(layered, id)?.add(layered, place);
    chunks::note_orphan(layered, id, None, row);
    counts.recorder.chunk_written(id, None, row);
    changes.insert(place, segment);
    Ok(())
}
