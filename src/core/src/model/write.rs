//! Writing: one row for each mutation, and the totals along with it.

use std::sync::Arc;

use super::Model;
use crate::effects::Mutation;

impl Model {
    pub(super) fn write_all(&mut self, mutations: &[Mutation]) {
        for mutation in mutations {
            self.write_one(mutation);
        }
    }

    fn write_one(&mut self, mutation: &Mutation) {
        match mutation {
            Mutation::PutNode(id, row) => {
                let old = self.nodes.insert(id.clone(), Arc::new(row.clone()));
                self.totals.node_changed(old.as_deref(), row);
            }
            Mutation::PutBeat(id, row) => {
                self.beats.insert(id.clone(), *row);
            }
            Mutation::PutFile(id, row) => {
                let old = self.files.insert(id.clone(), row.clone());
                self.totals.file_changed(old.is_some(), true);
            }
            Mutation::DeleteFile(id) => {
                let old = self.files.remove(id);
                self.totals.file_changed(old.is_some(), false);
            }
            Mutation::PutChunk(id, row) => {
                let old = self.chunks.insert(id.clone(), row.clone());
                self.totals.chunk_changed(old.as_ref(), Some(row));
            }
            Mutation::DeleteChunk(id) => {
                let old = self.chunks.remove(id);
                self.totals.chunk_changed(old.as_ref(), None);
            }
            Mutation::PutSharer(chunk, file, index) => {
                self.sharers.insert((chunk.clone(), file.clone()), *index);
            }
            Mutation::DeleteSharer(chunk, file) => {
                self.sharers.remove(&(chunk.clone(), file.clone()));
            }
            Mutation::PutRelease(id, row) => {
                self.releases.insert(*id, row.clone());
            }
            Mutation::DeleteRelease(id) => {
                self.releases.remove(id);
            }
            Mutation::PutRequest(key, row) => {
                self.requests.insert(key.clone(), row.clone());
            }
            Mutation::DeleteRequest(key) => {
                self.requests.remove(key);
            }
            Mutation::PutTask(node, chunk, row) => {
                let old = self.tasks.insert((node.clone(), chunk.clone()), row.clone());
                self.totals.task_changed(old.map(|old| old.kind), Some(row.kind));
            }
            Mutation::DeleteTask(node, chunk) => {
                let old = self.tasks.remove(&(node.clone(), chunk.clone()));
                self.totals.task_changed(old.map(|old| old.kind), None);
            }
        }
    }
}
