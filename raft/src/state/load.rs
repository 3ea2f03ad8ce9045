//! Loading what a decision or a question names.

use std::sync::Arc;

use zephyrfs_core::id::{ChunkId, FileId, NodeId};
use zephyrfs_core::row::ReleaseRow;
use zephyrfs_core::{ReadSet, View};

use super::registry::Registry;
use super::usages::Usages;
use super::{chunks, decode, files, sharers, tasks};
use crate::error::StoreError;
use crate::kv::{Layered, Table};

/// Loads from the tables and the nodes in memory.
pub(super) struct Loader<'a> {
    pub(super) layered: &'a Layered,
    pub(super) registry: &'a Registry,
    pub(super) usages: &'a Usages,
}

/// What is to be loaded with each chunk.
struct Wanted<'a> {
    replica_nodes: bool,
    sharers: bool,
    sharing_files: Vec<&'a FileId>,
}

impl Loader<'_> {
    /// Loads what is asked for and exists.
    pub(super) fn view(&self, reads: &ReadSet) -> Result<View, StoreError> {
        let ReadSet {
            nodes,
            files,
            file_chunks,
            chunks,
            sharers,
            replica_nodes,
            releases,
            tasks: wanted_tasks,
            node_tasks,
            usage,
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
        for (node, chunk) in wanted_tasks {
            if let Some(task) = tasks::load(self.layered, self.registry, node, chunk)? {
                view.tasks.insert((node.clone(), chunk.clone()), task);
            }
        }
        for (node, limit) in node_tasks {
            for task in tasks::of_node(self.layered, self.registry, node)?.take(*limit) {
                let (node, chunk, task) = task?;
                self.load_chunk(&chunk, &wanted, &mut view)?;
                view.tasks.insert((node, chunk), task);
            }
        }
        drop(wanted);
        for id in usage {
            if self.registry.get(id).is_some() {
                let usage = self.usages.of(self.registry.handle_of(id)?);
                view.usage.insert(id.clone(), usage);
            }
        }
        view.releases = releasing.into_iter().map(|(id, _, row)| (id, row)).collect();
        for key in requests {
            if let Some(bytes) = self.layered.get(Table::Requests, key.as_bytes())? {
                view.requests
                    .insert(key.clone(), decode(Table::Requests, &bytes)?);
            }
        }
        Ok(view)
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
        let Some(row) = chunks::load(self.layered, self.registry, id)? else {
            return Ok(());
        };
        if reads.replica_nodes {
            for replica in &row.replicas {
                self.load_node(&replica.node, view);
            }
        }
        if reads.sharers && row.sharers > 0 {
            if let Some((file, index)) = sharers::first(self.layered, id)? {
                view.sharers.insert((id.clone(), file), index);
            }
            for &file in &reads.sharing_files {
                if let Some(index) = sharers::index_in(self.layered, id, file)? {
                    view.sharers.insert((id.clone(), file.clone()), index);
                }
            }
        }
        view.chunks.insert(id.clone(), row);
        Ok(())
    }

    fn load_file(&self, id: &FileId, view: &mut View) -> Result<(), StoreError> {
        if !view.files.contains_key(id)
            && let Some(row) = files::load(self.layered, id)?
        {
            view.files.insert(id.clone(), row);
        }
        Ok(())
    }
}
