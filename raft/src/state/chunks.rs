//! Chunks in segments: finding them, and changing several in one go.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::sync::Arc;

use zephyrfs_core::id::ChunkId;
use zephyrfs_core::row::ChunkRow;

use super::registry::Registry;
use super::segment::{Entry, Place, Segment};
use super::usages::Counts;
use super::{decode, encode};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

/// What the index says of a chunk's id.
pub(super) struct Indexed {
    /// Short and of one length, whatever the id looks like.
    key: [u8; 16],
    places: Option<Arc<[u8]>>,
}

impl Indexed {
    /// Looks an id up.
    pub(super) fn look_up(layered: &Layered, id: &ChunkId) -> Result<Self, StoreError> {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(id.as_str().as_bytes()).as_bytes()[..16]);
        let places = layered.get(Table::ChunkIndex, &key)?;
        Ok(Self { key, places })
    }

    /// Where the chunk's record lies.
    ///
    /// Two ids with the same digest are not to be expected before the end of the world; their places would stand one
    /// behind the other, so even then neither is mistaken for the other.
    pub(super) fn find(
        &self,
        layered: &Layered,
        id: &ChunkId,
    ) -> Result<Option<(Place, Segment)>, StoreError> {
        for place in self.places().chunks(Place::LEN) {
            let place = Place::from_bytes(place).ok_or_else(|| {
                StoreError::corrupt(Table::ChunkIndex.name(), format!("the place of chunk {id}"))
            })?;
            let segment = read_segment(layered, place)?.ok_or_else(|| {
                StoreError::corrupt(
                    Table::ChunkIndex.name(),
                    format!("chunk {id} is not at its place"),
                )
            })?;
            if segment.record(id).is_some() {
                return Ok(Some((place, segment)));
            }
        }
        Ok(None)
    }

    /// Notes where the record of the chunk, which is new, lies.
    pub(super) fn add(self, layered: &mut Layered, place: Place) {
        let places = [self.places(), &place.to_bytes()].concat();
        layered.put(Table::ChunkIndex, &self.key, places);
    }

    /// Notes that the chunk's record is no longer at a place.
    fn remove(self, layered: &mut Layered, place: Place) {
        let gone = place.to_bytes();
        let left: Vec<u8> = self
            .places()
            .chunks(Place::LEN)
            .filter(|place| *place != gone)
            .flatten()
            .copied()
            .collect();
        if left.is_empty() {
            layered.delete(Table::ChunkIndex, &self.key);
        } else {
            layered.put(Table::ChunkIndex, &self.key, left);
        }
    }

    fn places(&self) -> &[u8] {
        self.places.as_deref().unwrap_or_default()
    }
}

/// Where a chunk's record lies.
pub(super) fn find(layered: &Layered, id: &ChunkId) -> Result<Option<(Place, Segment)>, StoreError> {
    Indexed::look_up(layered, id)?.find(layered, id)
}

/// A chunk's row.
pub(super) fn load(
    layered: &Layered,
    registry: &Registry,
    id: &ChunkId,
) -> Result<Option<ChunkRow>, StoreError> {
    let Some((_, segment)) = find(layered, id)? else {
        return Ok(None);
    };
    segment
        .record(id)
        .map(|record| segment.to_row(record, registry))
        .transpose()
}

/// Adds the chunks whose records lie in a stored segment.
pub(super) fn read_all(
    stored: &[u8],
    registry: &Registry,
    into: &mut Vec<(ChunkId, ChunkRow)>,
) -> Result<(), StoreError> {
    let segment: Segment = decode(Table::Segments, stored)?;
    for entry in &segment.entries {
        if let Entry::Here(record) = entry {
            into.push((record.id.clone(), segment.to_row(record, registry)?));
        }
    }
    Ok(())
}

/// A segment.
pub(super) fn read_segment(layered: &Layered, place: Place) -> Result<Option<Segment>, StoreError> {
    let bytes = layered.get(Table::Segments, &place.to_bytes())?;
    bytes.map(|bytes| decode(Table::Segments, &bytes)).transpose()
}

/// Changes to chunks, gathered by segment, so that each segment is decoded and encoded once.
#[derive(Default)]
pub(super) struct Changes {
    segments: BTreeMap<Place, Segment>,
}

impl Changes {
    /// A segment as changed so far.
    pub(super) fn segment(
        &mut self,
        layered: &Layered,
        place: Place,
    ) -> Result<Option<&mut Segment>, StoreError> {
        Ok(match self.segments.entry(place) {
            MapEntry::Occupied(open) => Some(open.into_mut()),
            MapEntry::Vacant(vacant) => read_segment(layered, place)?.map(|segment| vacant.insert(segment)),
        })
    }

    /// Puts a new segment in its place.
    pub(super) fn insert(&mut self, place: Place, segment: Segment) {
        self.segments.insert(place, segment);
    }

    /// Changes the record of a known chunk; answers whether there was one.
    pub(super) fn update(
        &mut self,
        layered: &mut Layered,
        registry: &Registry,
        counts: &mut Counts<'_>,
        id: &ChunkId,
        row: &ChunkRow,
    ) -> Result<bool, StoreError> {
        let Some((place, found)) = find(layered, id)? else {
            return Ok(false);
        };
        let segment = self.segments.entry(place).or_insert(found);
        let missing =
            || StoreError::corrupt(Table::Segments.name(), format!("chunk {id} is not at its place"));
        let old = segment.record(id).ok_or_else(missing)?;
        let before = segment.to_row(old, registry)?;
        let record = segment.to_record(id, row, registry)?;
        counts.usages.remove(old);
        counts.usages.add(&record);
        for entry in &mut segment.entries {
            if matches!(entry, Entry::Here(old) if old.id == *id) {
                *entry = Entry::Here(record);
                break;
            }
        }
        note_orphan(layered, id, Some(&before), row);
        counts.recorder.chunk_written(id, Some(&before), row);
        Ok(true)
    }

    /// Takes a chunk's record out.
    pub(super) fn remove(
        &mut self,
        layered: &mut Layered,
        registry: &Registry,
        counts: &mut Counts<'_>,
        id: &ChunkId,
    ) -> Result<(), StoreError> {
        let indexed = Indexed::look_up(layered, id)?;
        let Some((place, found)) = indexed.find(layered, id)? else {
            return Ok(());
        };
        let segment = self.segments.entry(place).or_insert(found);
        if let Some(record) = segment.record(id) {
            let before = segment.to_row(record, registry)?;
            counts.usages.remove(record);
            counts.recorder.chunk_deleted(id, &before);
            if !before.is_referenced() {
                layered.delete(Table::Orphans, id.as_str().as_bytes());
            }
        }
        segment
            .entries
            .retain(|entry| !matches!(entry, Entry::Here(record) if record.id == *id));
        indexed.remove(layered, place);
        Ok(())
    }

    /// Writes every changed segment; one that is left empty goes.
    pub(super) fn write(self, layered: &mut Layered) -> Result<(), StoreError> {
        for (place, segment) in self.segments {
            if segment.entries.is_empty() {
                layered.delete(Table::Segments, &place.to_bytes());
            } else {
                layered.put(
                    Table::Segments,
                    &place.to_bytes(),
                    encode(Table::Segments, &segment)?,
                );
            }
        }
        Ok(())
    }
}

/// Keeps the list of chunks that no file holds.
pub(super) fn note_orphan(layered: &mut Layered, id: &ChunkId, before: Option<&ChunkRow>, row: &ChunkRow) {
    let was_listed = before.is_some_and(|before| !before.is_referenced());
    match (was_listed, row.is_referenced()) {
        (false, false) => layered.put(Table::Orphans, id.as_str().as_bytes(), [].as_slice()),
        (true, true) => layered.delete(Table::Orphans, id.as_str().as_bytes()),
        (true, false) | (false, true) => {}
    }
}
