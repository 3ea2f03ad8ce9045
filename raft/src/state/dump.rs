//! Every row of the state, read back from the tables.

use std::ops::Bound;

use zephyrfs_core::id::RequestId;
use zephyrfs_core::row::Row;

use super::registry::Registry;
use super::segment::{Entry, Segment};
use super::{decode, files, sharers, text_key};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

const EVERYTHING: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

/// Hands out every row, kind by kind, until `take` answers `false`.
pub(super) fn rows(
    layered: &Layered,
    registry: &Registry,
    take: &mut dyn FnMut(Row) -> bool,
) -> Result<(), StoreError> {
    for (id, known) in registry.iter() {
        if !take(Row::Node(id.clone(), known.row.as_ref().clone())) {
            return Ok(());
        }
    }
    for (id, known) in registry.iter() {
        if let Some(beat) = known.beat
            && !take(Row::Beat(id.clone(), beat))
        {
            return Ok(());
        }
    }
    for file in files::page(layered, None)? {
        let (id, row) = file?;
        if !take(Row::File(id, row)) {
            return Ok(());
        }
    }
    for pair in layered.range(Table::Segments, EVERYTHING)? {
        let segment: Segment = decode(Table::Segments, &pair?.1)?;
        for entry in &segment.entries {
            if let Entry::Here(record) = entry
                && !take(Row::Chunk(record.id.clone(), segment.to_row(record, registry)?))
            {
                return Ok(());
            }
        }
    }
    for pair in layered.range(Table::Sharers, EVERYTHING)? {
        let (key, value) = pair?;
        let (chunk, file) = sharers::parse_key(&key)?;
        if !take(Row::Sharer(chunk, file, decode(Table::Sharers, &value)?)) {
            return Ok(());
        }
    }
    for pair in layered.range(Table::Releases, EVERYTHING)? {
        let (key, value) = pair?;
        if !take(Row::Release(release_id(&key)?, decode(Table::Releases, &value)?)) {
            return Ok(());
        }
    }
    for pair in layered.range(Table::Requests, EVERYTHING)? {
        let (key, value) = pair?;
        let key = text_key(Table::Requests, &key)?.to_owned();
        if !take(Row::Request(key, decode(Table::Requests, &value)?)) {
            return Ok(());
        }
    }
    Ok(())
}

/// The id that a key of the releases is.
pub(super) fn release_id(key: &[u8]) -> Result<RequestId, StoreError> {
    let bytes = key
        .try_into()
        .map_err(|_| StoreError::corrupt(Table::Releases.name(), "a key of another length"))?;
    Ok(RequestId::from_bytes(bytes))
}
