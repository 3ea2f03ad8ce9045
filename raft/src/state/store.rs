//! The state as a store of rows: what the rules ask of it, kind by kind.

use std::sync::Arc;

use zephyrfs_core::event::{Change, Recorder};
use zephyrfs_core::row::Row;
use zephyrfs_core::store::RowStore;
use zephyrfs_core::{Mutation, ReadSet, View};

use super::chunks::Changes;
use super::dump;
use super::files::{self, Unplaced};
use super::header::{Header, LogIdRecord};
use super::load::Loader;
use super::pages::Pages;
use super::registry::Registry;
use super::usages::{Counts, Usages};
use super::{encode, sharers, tasks};
use crate::error::StoreError;
use crate::kv::{Base, Layer, Layered, Table};

/// The rows, and how far the log was applied to them.
pub(crate) struct State {
    layered: Layered,
    registry: Registry,
    usages: Usages,
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
        let usages = Usages::load(&layered)?;
        let durable = header.applied;
        Ok(Self {
            layered,
            registry,
            usages,
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
        let frozen = self.layered.freeze(&(&self.header, &self.usages))?;
        if frozen.is_some() {
            self.usages.stamped();
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

    /// Pages of rows.
    pub(crate) const fn pages(&self) -> Pages<'_> {
        Pages {
            layered: &self.layered,
            registry: &self.registry,
        }
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
}

impl RowStore for State {
    type Error = StoreError;

    fn load(&self, reads: &ReadSet) -> Result<View, StoreError> {
        let loader = Loader {
            layered: &self.layered,
            registry: &self.registry,
            usages: &self.usages,
        };
        loader.view(reads)
    }

    fn write(&mut self, mutations: &[Mutation]) -> Result<Vec<Change>, StoreError> {
        let Self {
            layered,
            registry,
            usages,
            header,
            ..
        } = self;
        let Header {
            totals, next_handle, ..
        } = header;
        let mut counts = Counts {
            recorder: Recorder::new(totals),
            usages,
        };
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
                    counts.recorder.node_changed(id, before.as_deref(), row);
                }
                Mutation::PutBeat(id, beat) => registry.put_beat(layered, id, *beat)?,
                Mutation::PutFile(id, row) => {
                    let file = (id, row);
                    files::put(
                        layered,
                        registry,
                        &mut counts,
                        &mut changes,
                        next_handle,
                        file,
                        &mut unplaced,
                    )?;
                }
                Mutation::DeleteFile(id) => files::delete(layered, &mut counts, &mut changes, id)?,
                // Chunks that a new file brings are laid with it; the rest follow below.
                Mutation::PutChunk(..) => {}
                Mutation::DeleteChunk(id) => changes.remove(layered, registry, &mut counts, id)?,
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
                Mutation::PutTask(node, chunk, row) => {
                    tasks::put(layered, registry, &mut counts.recorder, (node, chunk), row)?;
                }
                Mutation::DeleteTask(node, chunk) => {
                    tasks::delete(layered, registry, &mut counts.recorder, (node, chunk))?;
                }
            }
        }
        for (id, row) in unplaced {
            if !changes.update(layered, registry, &mut counts, id, row)? {
                files::lay_out_alone(
                    layered,
                    registry,
                    &mut counts,
                    &mut changes,
                    next_handle,
                    (id, row),
                )?;
            }
        }
        changes.write(layered)?;
        Ok(counts.recorder.into_changes())
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
