//! Pages of rows, for lists and for the jobs that look at everything.

use std::ops::Bound;

use zephyrfs_core::engine::{ChunkScan, ScanCursor, TaskKey};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, TaskRow};

use super::registry::Registry;
use super::{chunks, decode, dump, files, tasks, text_key};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

/// Chunks that a page of files may have, all of its files together; the last one may exceed it.
const MAX_CHUNKS_PER_PAGE: usize = 1 << 16;

/// A page ends, however few chunks it has, when it would have been full with so many in each segment.
const CHUNKS_IN_A_SPARSE_SEGMENT: usize = 4;

/// Reads pages from the tables.
pub(crate) struct Pages<'a> {
    pub(super) layered: &'a Layered,
    pub(super) registry: &'a Registry,
}

impl Pages<'_> {
    /// A page of files after an id, and whether there are more. A page ends early when its files have very many chunks, so
    /// that its rows fit into memory.
    pub(crate) fn files_after(
        &self,
        after: Option<&FileId>,
        limit: usize,
    ) -> Result<(Vec<(FileId, FileRow)>, bool), StoreError> {
        let mut page = Vec::new();
        let mut chunks = 0;
        for file in files::page(self.layered, after)? {
            if page.len() >= limit || chunks >= MAX_CHUNKS_PER_PAGE {
                return Ok((page, true));
            }
            let (id, row) = file?;
            chunks += row.chunks.len();
            page.push((id, row));
        }
        Ok((page, false))
    }

    /// A page of chunks that no file holds.
    pub(crate) fn orphans_after(
        &self,
        after: Option<&ChunkId>,
        limit: usize,
    ) -> Result<Vec<(ChunkId, ChunkRow)>, StoreError> {
        let mut orphans = Vec::new();
        for pair in self
            .layered
            .range(Table::Orphans, after_text(after.map(ChunkId::as_str)))?
            .take(limit)
        {
            let id = ChunkId::from(text_key(Table::Orphans, &pair?.0)?);
            let row = chunks::load(self.layered, self.registry, &id)?
                .ok_or_else(|| StoreError::corrupt(Table::Orphans.name(), format!("no chunk {id}")))?;
            orphans.push((id, row));
        }
        Ok(orphans)
    }

    /// A page of remembered requests.
    pub(crate) fn requests_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, RequestRow)>, StoreError> {
        let page = self
            .layered
            .range(Table::Requests, after_text(after))?
            .take(limit);
        page.map(|pair| {
            let (key, value) = pair?;
            Ok((
                text_key(Table::Requests, &key)?.to_owned(),
                decode(Table::Requests, &value)?,
            ))
        })
        .collect()
    }

    /// The first unfinished releases.
    pub(crate) fn releases(&self, limit: usize) -> Result<Vec<RequestId>, StoreError> {
        let page = self
            .layered
            .range(Table::Releases, (Bound::Unbounded, Bound::Unbounded))?
            .take(limit);
        page.map(|pair| dump::release_id(&pair?.0)).collect()
    }

    /// A page of tasks, of one node or of all.
    pub(crate) fn tasks_after(
        &self,
        node: Option<&NodeId>,
        after: Option<&TaskKey>,
        limit: usize,
    ) -> Result<Vec<(TaskKey, TaskRow)>, StoreError> {
        let keyed = |task: Result<(NodeId, ChunkId, TaskRow), StoreError>| {
            task.map(|(node, chunk, task)| ((node, chunk), task))
        };
        let Some(node) = node else {
            let page = tasks::after(self.layered, self.registry, after)?;
            return page.map(keyed).take(limit).collect();
        };
        let page = tasks::of_node(self.layered, self.registry, node)?.map(keyed);
        page.filter(|task| {
            let is_after = |key: &(NodeId, ChunkId)| after.is_none_or(|after| key.1 > after.1);
            task.as_ref().map_or(true, |(key, _)| is_after(key))
        })
        .take(limit)
        .collect()
    }

    /// A page of chunks, in the order in which they lie, and where to go on.
    pub(crate) fn chunks_after(
        &self,
        cursor: Option<&ScanCursor>,
        limit: usize,
    ) -> Result<ChunkScan, StoreError> {
        let mut page = Vec::new();
        let mut segments = 0;
        let start = cursor.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.as_bytes()));
        for pair in self.layered.range(Table::Segments, (start, Bound::Unbounded))? {
            let (key, value) = pair?;
            chunks::read_all(&value, self.registry, &mut page)?;
            segments += 1;
            // A segment may only name chunks that lie elsewhere: such ones cost as much to look at.
            if page.len() >= limit || segments >= limit.div_ceil(CHUNKS_IN_A_SPARSE_SEGMENT) {
                let next = Some(ScanCursor::new(key.into_vec()));
                return Ok(ChunkScan { items: page, next });
            }
        }
        Ok(ChunkScan {
            items: page,
            next: None,
        })
    }
}

/// Everything after a text, or everything.
fn after_text(after: Option<&str>) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (
        after.map_or(Bound::Unbounded, |text| Bound::Excluded(text.as_bytes())),
        Bound::Unbounded,
    )
}
