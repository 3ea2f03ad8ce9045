//! The state as a store of rows: what the rules ask of it, kind by kind.

use std::ops::Bound;
use std::sync::Arc;

use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, ReleaseRow, RequestRow, Row};
use zephyrfs_core::store::RowStore;
use zephyrfs_core::{Mutation, ReadSet, View};

use super::chunks::{self, Changes};
use super::dump;
use super::files::{self, Unplaced};
use super::header::{Header, LogIdRecord};
use super::registry::Registry;
use super::{decode, encode, sharers, text_key};
use crate::error::StoreError;
use crate::kv::{Base, Layer, Layered, Table};

/// Chunks that a page of files may have, all of its files together; the last one may exceed it.
const MAX_CHUNKS_PER_PAGE: usize = 1 << 16;

/// The rows, and how far the log was applied to them.
pub(crate) struct State {
    layered: Layered,
    registry: Registry,
    header: Header,
    /// The last applied entry that is on disk, and the one that will be when the frozen layer is.
    durable: Option<LogIdRecord>,
    freezing: Option<LogIdRecord>,
}

impl State {
    /// The state that is on disk.
    pub(crate) fn open(base: Arc<Base>, path: &str) -> Result<Self, StoreError> {
        let layered = Layered::over(base);
        let header = Header::load(&layered, path)?;
        let registry = Registry::load(&layered)?;
        let durable = header.applied;
        Ok(Self {
            layered,
            registry,
            header,
            durable,
            freezing: durable,
        })
    }

    /// What a durable state is stamped with.
    pub(crate) fn header_of(base: &Arc<Base>, path: &str) -> Result<Header, StoreError> {
        Header::load(&Layered::over(Arc::clone(base)), path)
    }

    /// What the state is stamped with.
    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    /// What the state is stamped with, to change it along with the rows.
    pub(crate) const fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }

    /// The nodes.
    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Freezes what is in memory, stamped, to be written to disk; `None` while the last freeze is not written yet.
    pub(crate) fn freeze(&mut self) -> Result<Option<Arc<Layer>>, StoreError> {
        let frozen = self.layered.freeze(&self.header)?;
        if frozen.is_some() {
            self.freezing = self.header.applied;
        }
        Ok(frozen)
    }

    /// What is frozen and not written yet.
    #[cfg(test)]
    pub(crate) fn frozen(&self) -> Option<Arc<Layer>> {
        self.layered.frozen()
    }

    /// What was frozen is on disk.
    pub(crate) fn flushed(&mut self, base: Base) {
        self.layered.flushed(base);
        self.durable = self.freezing;
    }

    /// Whether something was applied that is not on disk.
    pub(crate) fn is_dirty(&self) -> bool {
        self.durable != self.header.applied
    }

    /// About how much memory the writes take that are not frozen.
    pub(crate) const fn unflushed_bytes(&self) -> usize {
        self.layered.active_bytes()
    }

    /// Whether a frozen layer is still being written.
    pub(crate) const fn is_flushing(&self) -> bool {
        self.layered.is_flushing()
    }

    /// The last durable state.
    pub(crate) fn base(&self) -> Arc<Base> {
        self.layered.base()
    }

    /// Takes the place of another state.
    pub(crate) const fn follow(&mut self, before: &Self) {
        self.registry.follow(&before.registry);
    }

    /// A page of files after an id, and whether there are more. A page ends early when its files have very many chunks, so
    /// that its rows fit into memory.
    pub(crate) fn files_after(
        &self,
        after: Option<&FileId>,
        limit: usize,
    ) -> Result<(Vec<(FileId, FileRow)>, bool), StoreError> {
        let mut page = Vec::new();
        let mut chunks = 0;
        for file in files::page(&self.layered, after)? {
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
            let row = chunks::load(&self.layered, &self.registry, &id)?
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

    /// Every row, kind by kind.
    pub(crate) fn rows_of_all_kinds(
        &self,
    ) -> Result<impl Iterator<Item = Result<Row, StoreError>> + Send + '_, StoreError> {
        dump::rows(&self.layered, &self.registry)
    }

    /// Rows by table, as of the last durable state.
    pub(crate) fn rows(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let base = self.layered.base();
        Table::ALL
            .into_iter()
            .map(|table| Ok((table.name(), base.rows(table)?)))
            .collect()
    }

    fn load_node(&self, id: &NodeId, view: &mut View) {
        let Some(known) = self.registry.get(id) else {
            return;
        };
        view.nodes.insert(id.clone(), Arc::clone(&known.row));
        if let Some(beat) = known.beat {
            view.beats.insert(id.clone(), beat);
        }
    }

    fn load_chunk(&self, id: &ChunkId, reads: &Wanted<'_>, view: &mut View) -> Result<(), StoreError> {
        if view.chunks.contains_key(id) {
            return Ok(());
        }
        let Some(row) = chunks::load(&self.layered, &self.registry, id)? else {
            return Ok(());
        };
        if reads.replica_nodes {
            for replica in &row.replicas {
                self.load_node(&replica.node, view);
            }
        }
        if reads.sharers && row.sharers > 0 {
            if let Some((file, index)) = sharers::first(&self.layered, id)? {
                view.sharers.insert((id.clone(), file), index);
            }
            for &file in &reads.sharing_files {
                if let Some(index) = sharers::index_in(&self.layered, id, file)? {
                    view.sharers.insert((id.clone(), file.clone()), index);
                }
            }
        }
        view.chunks.insert(id.clone(), row);
        Ok(())
    }

    fn load_file(&self, id: &FileId, view: &mut View) -> Result<(), StoreError> {
        if !view.files.contains_key(id)
            && let Some(row) = files::load(&self.layered, id)?
        {
            view.files.insert(id.clone(), row);
        }
        Ok(())
    }
}

/// Everything after a text, or everything.
fn after_text(after: Option<&str>) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (
        after.map_or(Bound::Unbounded, |text| Bound::Excluded(text.as_bytes())),
        Bound::Unbounded,
    )
}

/// What is to be loaded with each chunk.
struct Wanted<'a> {
    replica_nodes: bool,
    sharers: bool,
    sharing_files: Vec<&'a FileId>,
}

impl RowStore for State {
    type Error = StoreError;

    fn load(&self, reads: &ReadSet) -> Result<View, StoreError> {
        let ReadSet {
            nodes,
            files,
            file_chunks,
            chunks,
            sharers,
            replica_nodes,
            releases,
            requests,
        } = reads;
        let mut view = View::default();
        for id in nodes {
            self.load_node(id, &mut view);
        }
        for id in files {
            self.load_file(id, &mut view)?;
        }
        let mut releasing = Vec::new();
        for (id, page) in releases {
            let Some(bytes) = self.layered.get(Table::Releases, id.as_bytes())? else {
                continue;
            };
            let row: ReleaseRow = decode(Table::Releases, &bytes)?;
            self.load_file(&row.file, &mut view)?;
            releasing.push((*id, *page, row));
        }
        let mut wanted = Wanted {
            replica_nodes: *replica_nodes,
            sharers: sharers.is_some(),
            sharing_files: sharers.iter().flatten().collect(),
        };
        wanted
            .sharing_files
            .extend(releasing.iter().map(|(_, _, row)| &row.file));
        for id in chunks {
            self.load_chunk(id, &wanted, &mut view)?;
        }
        for (id, page) in file_chunks {
            self.load_file(id, &mut view)?;
            let held = view
                .files
                .get(id)
                .map(|file| Arc::clone(&file.chunks))
                .unwrap_or_default();
            for chunk in held.iter().take(*page) {
                self.load_chunk(&chunk.id, &wanted, &mut view)?;
            }
        }
        for (_, page, row) in &releasing {
            for chunk in row.next_page(*page) {
                self.load_chunk(&chunk.id, &wanted, &mut view)?;
            }
        }
        drop(wanted);
        view.releases = releasing.into_iter().map(|(id, _, row)| (id, row)).collect();
        for key in requests {
            if let Some(bytes) = self.layered.get(Table::Requests, key.as_bytes())? {
                view.requests
                    .insert(key.clone(), decode(Table::Requests, &bytes)?);
            }
        }
        Ok(view)
    }

    fn write(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        let Self {
            layered,
            registry,
            header,
            ..
        } = self;
        let Header {
            totals, next_handle, ..
        } = header;
        let mut changes = Changes::default();
        let mut unplaced: Unplaced<'_> = mutations
            .iter()
            .filter_map(|mutation| match mutation {
                Mutation::PutChunk(id, row) => Some((id, row)),
                _ => None,
            })
            .collect();
        for mutation in mutations {
            match mutation {
                Mutation::PutNode(id, row) => {
                    let before = registry.put_node(layered, id, row)?;
                    totals.node_changed(before.as_deref(), row);
                }
                Mutation::PutBeat(id, beat) => registry.put_beat(layered, id, *beat)?,
                Mutation::PutFile(id, row) => {
                    let file = (id, row);
                    files::put(
                        layered,
                        registry,
                        totals,
                        &mut changes,
                        next_handle,
                        file,
                        &mut unplaced,
                    )?;
                }
                Mutation::DeleteFile(id) => files::delete(layered, totals, &mut changes, id)?,
                // Chunks that a new file brings are laid with it; the rest follow below.
                Mutation::PutChunk(..) => {}
                Mutation::DeleteChunk(id) => changes.remove(layered, registry, totals, id)?,
                Mutation::PutSharer(chunk, file, index) => sharers::put(layered, chunk, file, *index)?,
                Mutation::DeleteSharer(chunk, file) => sharers::delete(layered, chunk, file),
                Mutation::PutRelease(id, row) => {
                    layered.put(Table::Releases, id.as_bytes(), encode(Table::Releases, row)?);
                }
                Mutation::DeleteRelease(id) => layered.delete(Table::Releases, id.as_bytes()),
                Mutation::PutRequest(key, row) => {
                    layered.put(Table::Requests, key.as_bytes(), encode(Table::Requests, row)?);
                }
                Mutation::DeleteRequest(key) => layered.delete(Table::Requests, key.as_bytes()),
            }
        }
        for (id, row) in unplaced {
            if !changes.update(layered, registry, totals, id, row)? {
                files::lay_out_alone(layered, registry, totals, &mut changes, next_handle, (id, row))?;
            }
        }
        changes.write(layered)
    }

    fn dump(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        for row in self.rows_of_all_kinds()? {
            if !take(row?) {
                break;
            }
        }
        Ok(())
    }
}
