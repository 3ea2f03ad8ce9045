//! Writing: one row for each mutation, and the totals along with it.

use std::sync::Arc;

use super::Model;
use crate::effects::Mutation;
use crate::event::{Change, OldFile, Recorder};

impl Model {
    pub(super) fn write_all(&mut self, mutations: &[Mutation]) -> Vec<Change> {
        let mut totals = self.totals;
        let mut recorder = Recorder::new(&mut totals);
        for mutation in mutations {
            self.write_one(mutation, &mut recorder);
        }
        let changes = recorder.into_changes();
        self.totals = totals;
        changes
    }

    fn write_one(&mut self, mutation: &Mutation, recorder: &mut Recorder<'_>) {
        match mutation {
            Mutation::PutNode(id, row) => {
                let old = self.nodes.insert(id.clone(), Arc::new(row.clone()));
                recorder.node_changed(id, old.as_deref(), row);
            }
            Mutation::PutBeat(id, row) => {
                self.beats.insert(id.clone(), *row);
            }
            Mutation::PutFile(id, row) => {
                let old = self.files.insert(id.clone(), row.clone());
                let old = old.as_ref().map(|old| OldFile {
                    name: &old.name,
                    owner: old.owner.as_ref(),
                    has_same_content: old.hash == row.hash
                        && old.size == row.size
                        && old.chunks == row.chunks,
                });
                recorder.file_written(id, old, row);
            }
            Mutation::DeleteFile(id) => {
                if self.files.remove(id).is_some() {
                    recorder.file_deleted(id);
                }
            }
            Mutation::PutChunk(id, row) => {
                let old = self.chunks.insert(id.clone(), row.clone());
                recorder.chunk_written(id, old.as_ref(), row);
            }
            Mutation::DeleteChunk(id) => {
                if let Some(old) = self.chunks.remove(id) {
                    recorder.chunk_deleted(id, &old);
                }
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
                recorder.task_changed((node, chunk), old.as_ref(), Some(row));
            }
            Mutation::DeleteTask(node, chunk) => {
                let old = self.tasks.remove(&(node.clone(), chunk.clone()));
                recorder.task_changed((node, chunk), old.as_ref(), None);
            }
        }
    }
}
