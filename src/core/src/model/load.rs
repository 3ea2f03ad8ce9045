//! Loading: what each part of a [`ReadSet`] means, spelled out.

use super::Model;
use crate::id::{ChunkId, FileId, NodeId};
use crate::row::FileChunk;
use crate::row::{Usage, users};
use crate::view::{ReadSet, View};

impl Model {
    /// The rows that are asked for and exist.
    pub fn view(&self, reads: &ReadSet) -> View {
        let mut view = View::default();
        for file in &reads.files {
            self.load_file(file, 0, &mut view);
        }
        for (file, chunks) in &reads.file_chunks {
            self.load_file(file, *chunks, &mut view);
        }
        for chunk in &reads.chunks {
            self.load_chunk(chunk, &mut view);
        }
        for (id, chunks) in &reads.releases {
            let Some(release) = self.releases.get(id) else {
                continue;
            };
            self.load_file(&release.file, 0, &mut view);
            self.load_chunks(release.next_page(*chunks), &mut view);
            view.releases.insert(*id, release.clone());
        }
        for (node, chunk) in &reads.tasks {
            if let Some(task) = self.tasks.get(&(node.clone(), chunk.clone())) {
                view.tasks.insert((node.clone(), chunk.clone()), task.clone());
            }
        }
        for (node, limit) in &reads.node_tasks {
            self.load_node_tasks(node, *limit, &mut view);
        }
        if let Some(files) = &reads.sharers {
            self.load_sharers(files, &mut view);
        }
        for node in &reads.nodes {
            self.load_node(node, &mut view);
        }
        if reads.replica_nodes {
            let replicas = view.chunks.values().flat_map(|chunk| &chunk.replicas);
            for node in replicas.map(|replica| replica.node.clone()).collect::<Vec<_>>() {
                self.load_node(&node, &mut view);
            }
        }
        for node in reads.usage.iter().filter(|node| self.nodes.contains_key(*node)) {
            view.usage.insert(node.clone(), self.usage(node));
        }
        for key in &reads.requests {
            if let Some(request) = self.requests.get(key) {
                view.requests.insert(key.clone(), request.clone());
            }
        }
        view
    }

    /// Counted anew each time: what stores keep is compared with this.
    fn usage(&self, node: &NodeId) -> Usage {
        let mut usage = Usage::default();
        for chunk in self.chunks.values() {
            users(chunk)
                .filter(|user| *user == node)
                .for_each(|_| usage.add(chunk.size));
        }
        usage
    }

    fn load_node(&self, id: &NodeId, view: &mut View) {
        if let Some(node) = self.nodes.get(id) {
            view.nodes.insert(id.clone(), node.clone());
        }
        if let Some(beat) = self.beats.get(id) {
            view.beats.insert(id.clone(), *beat);
        }
    }

    fn load_node_tasks(&self, node: &NodeId, limit: usize, view: &mut View) {
        // No text sorts before the empty one.
        let from = (node.clone(), ChunkId::from(""));
        let of_node = self.tasks.range(from..).take_while(|((of, _), _)| of == node);
        for (key, task) in of_node.take(limit) {
            self.load_chunk(&key.1, view);
            view.tasks.insert(key.clone(), task.clone());
        }
    }

    fn load_file(&self, id: &FileId, chunks: usize, view: &mut View) {
        if let Some(file) = self.files.get(id) {
            self.load_chunks(&file.chunks[..chunks.min(file.chunks.len())], view);
            view.files.insert(id.clone(), file.clone());
        }
    }

    fn load_chunks(&self, chunks: &[FileChunk], view: &mut View) {
        for chunk in chunks {
            self.load_chunk(&chunk.id, view);
        }
    }

    fn load_chunk(&self, id: &ChunkId, view: &mut View) {
        if let Some(chunk) = self.chunks.get(id) {
            view.chunks.insert(id.clone(), chunk.clone());
        }
    }

    fn load_sharers(&self, files: &[FileId], view: &mut View) {
        let released = view.releases.values().map(|release| &release.file);
        let files: Vec<&FileId> = files.iter().chain(released).collect();
        for (id, chunk) in &view.chunks {
            if chunk.sharers == 0 {
                continue;
            }
            // No text sorts before the empty one.
            let from = (id.clone(), FileId::from(""));
            let first = self.sharers.range(from..).next().filter(|((of, _), _)| of == id);
            let named = files
                .iter()
                .filter_map(|&file| self.sharers.get_key_value(&(id.clone(), file.clone())));
            for (key, index) in first.into_iter().chain(named) {
                view.sharers.insert(key.clone(), *index);
            }
        }
    }
}
