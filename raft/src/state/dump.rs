//! Every row of the state, read back from the tables.

use std::ops::Bound;

use zephyrfs_core::id::RequestId;
use zephyrfs_core::row::Row;

use super::registry::Registry;
use super::{chunks, decode, files, sharers, tasks, text_key};
use crate::error::StoreError;
use crate::kv::{Layered, Pair, Table};

const EVERYTHING: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

/// Every row, kind by kind.
pub(super) fn rows<'a>(
    layered: &'a Layered,
    registry: &'a Registry,
) -> Result<impl Iterator<Item = Result<Row, StoreError>> + Send + 'a, StoreError> {
    let nodes = registry
        .iter()
        .map(|(id, known)| Ok(Row::Node(id.clone(), known.row.as_ref().clone())));
    let beats = registry
        .iter()
        .filter_map(|(id, known)| known.beat.map(|beat| Ok(Row::Beat(id.clone(), beat))));
    let files = files::page(layered, None)?.map(|file| file.map(|(id, row)| Row::File(id, row)));
    let chunks =
        layered
            .range(Table::Segments, EVERYTHING)?
            .flat_map(|pair| match chunks_of(pair, registry) {
                Ok(rows) => rows.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            });
    let sharers = layered.range(Table::Sharers, EVERYTHING)?.map(|pair| {
        let (key, value) = pair?;
        let (chunk, file) = sharers::parse_key(&key)?;
        Ok(Row::Sharer(chunk, file, decode(Table::Sharers, &value)?))
    });
    let releases = layered.range(Table::Releases, EVERYTHING)?.map(|pair| {
        let (key, value) = pair?;
        Ok(Row::Release(release_id(&key)?, decode(Table::Releases, &value)?))
    });
    let requests = layered.range(Table::Requests, EVERYTHING)?.map(|pair| {
        let (key, value) = pair?;
        Ok(Row::Request(
            text_key(Table::Requests, &key)?.to_owned(),
            decode(Table::Requests, &value)?,
        ))
    });
    let tasks = tasks::after(layered, registry, None)?
        .map(|task| task.map(|(node, chunk, task)| Row::Task(node, chunk, task)));
    Ok(nodes
        .chain(beats)
        .chain(files)
        .chain(chunks)
        .chain(sharers)
        .chain(releases)
        .chain(requests)
        .chain(tasks))
}

/// The chunks whose records lie in a segment.
fn chunks_of(pair: Result<Pair, StoreError>, registry: &Registry) -> Result<Vec<Row>, StoreError> {
    let mut here = Vec::new();
    chunks::read_all(&pair?.1, registry, &mut here)?;
    Ok(here.into_iter().map(|(id, row)| Row::Chunk(id, row)).collect())
}

/// The id that a key of the releases is.
pub(super) fn release_id(key: &[u8]) -> Result<RequestId, StoreError> {
    let bytes = key
        .try_into()
        .map_err(|_| StoreError::corrupt(Table::Releases.name(), "a key of another length"))?;
    Ok(RequestId::from_bytes(bytes))
}
