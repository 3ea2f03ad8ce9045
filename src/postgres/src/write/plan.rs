//! What is to be written, by table.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;
use sqlx::query;
use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{BeatRow, ChunkRow, FileRow, NodeRow, ReleaseRow, RequestRow, TaskRow, users};
use zephyrfs_core::{Mutation, View};

use super::Decided;
use crate::error::StoreError;
use crate::load::Loaded;
use crate::tables::chunks::CopyChanges;
use crate::tables::sharers::Sharer;

/// The mutations by table, in the order of their keys: transactions that meet lock rows in the same order.
#[derive(Default)]
pub(super) struct Plan<'m> {
    pub(super) nodes: Vec<(&'m NodeId, &'m NodeRow)>,
    pub(super) beats: Vec<(&'m NodeId, &'m BeatRow)>,
    pub(super) files: Vec<(&'m FileId, &'m FileRow)>,
    pub(super) deleted_files: Vec<&'m FileId>,
    pub(super) chunks: Vec<(&'m ChunkId, &'m ChunkRow)>,
    pub(super) deleted_chunks: Vec<&'m ChunkId>,
    pub(super) sharers: Vec<Sharer<'m>>,
    pub(super) deleted_sharers: Vec<(&'m ChunkId, &'m FileId)>,
    pub(super) releases: Vec<(RequestId, &'m ReleaseRow)>,
    pub(super) requests: Vec<(&'m str, &'m RequestRow)>,
    pub(super) deleted_releases: Vec<RequestId>,
    pub(super) deleted_requests: Vec<&'m str>,
    pub(super) tasks: Vec<(&'m NodeId, &'m ChunkId, &'m TaskRow)>,
    pub(super) deleted_tasks: Vec<TaskKey>,
}

impl<'m> Plan<'m> {
    /// What the mutations of these come to.
    pub(super) fn of(decided: &[Decided<'m>]) -> Self {
        let mut plan = Self::default();
        for mutation in decided.iter().flat_map(|one| one.mutations) {
            match mutation {
                Mutation::PutNode(id, row) => plan.nodes.push((id, row)),
                Mutation::PutBeat(id, row) => plan.beats.push((id, row)),
                Mutation::PutFile(id, row) => plan.files.push((id, row)),
                Mutation::DeleteFile(id) => plan.deleted_files.push(id),
                Mutation::PutChunk(id, row) => plan.chunks.push((id, row)),
                Mutation::DeleteChunk(id) => plan.deleted_chunks.push(id),
                Mutation::PutSharer(chunk, file, index) => plan.sharers.push((chunk, file, *index)),
                Mutation::DeleteSharer(chunk, file) => plan.deleted_sharers.push((chunk, file)),
                Mutation::DeleteRelease(id) => plan.deleted_releases.push(*id),
                Mutation::DeleteRequest(key) => plan.deleted_requests.push(key),
                Mutation::PutTask(node, chunk, row) => plan.tasks.push((node, chunk, row)),
                Mutation::DeleteTask(node, chunk) => plan.deleted_tasks.push((node.clone(), chunk.clone())),
                Mutation::PutRelease(id, row) => plan.releases.push((*id, row)),
                Mutation::PutRequest(key, row) => plan.requests.push((key, row)),
            }
        }
        plan.nodes.sort_unstable_by_key(|(id, _)| *id);
        plan.beats.sort_unstable_by_key(|(id, _)| *id);
        plan.chunks.sort_unstable_by_key(|(id, _)| *id);
        plan.tasks
            .sort_unstable_by_key(|(node, chunk, _)| (*node, *chunk));
        plan
    }

    /// Whether nothing is written but files, chunks and remembered requests, of which none was there, and no drain has to know.
    pub(super) fn only_adds(&self, view: &View) -> bool {
        let others = self.nodes.len()
            + self.beats.len()
            + self.sharers.len()
            + self.releases.len()
            + self.tasks.len()
            + self.deleted_files.len()
            + self.deleted_chunks.len()
            + self.deleted_sharers.len()
            + self.deleted_releases.len()
            + self.deleted_requests.len()
            + self.deleted_tasks.len();
        let known = view.files.len() + view.chunks.len() + view.requests.len();
        others == 0 && known == 0 && self.grown(view).is_empty()
    }

    /// The tasks that are written or deleted and were not loaded.
    pub(super) fn unknown_tasks(&self, view: &View) -> Vec<TaskKey> {
        let put = self
            .tasks
            .iter()
            .map(|(node, chunk, _)| ((*node).clone(), (*chunk).clone()));
        put.chain(self.deleted_tasks.iter().cloned())
            .filter(|key| !view.tasks.contains_key(key))
            .collect()
    }

    /// Touches or locks what was read, decides something and is not written: see `DESIGN.md` for what that is good for.
    pub(super) async fn lock(&self, connection: &mut PgConnection, view: &View) -> Result<(), StoreError> {
        let written: BTreeSet<&ChunkId> = self
            .chunks
            .iter()
            .map(|(id, _)| *id)
            .chain(self.deleted_chunks.iter().copied())
            .collect();
        let read = view.chunks.keys().filter(|id| !written.contains(id));
        let read: Vec<&str> = read.map(ChunkId::as_str).collect();
        if !read.is_empty() {
            query("UPDATE chunks SET sharers = sharers WHERE chunk_id = ANY($1)")
                .bind(&read)
                .execute(&mut *connection)
                .await?;
        }
        let written: BTreeSet<&FileId> = self
            .files
            .iter()
            .map(|(id, _)| *id)
            .chain(self.deleted_files.iter().copied())
            .collect();
        let read = view.files.keys().filter(|id| !written.contains(id));
        let read: Vec<&str> = read.map(FileId::as_str).collect();
        if !read.is_empty() {
            query("SELECT 1 FROM files WHERE file_id = ANY($1) ORDER BY file_id FOR SHARE")
                .bind(&read)
                .execute(&mut *connection)
                .await?;
        }
        // A heartbeat that is recorded at the same time must see what became of its node, and this must see the heartbeat:
        // whoever comes second meets a row that was written meanwhile, and decides again.
        let beating =
            |id: &&NodeId| view.beats.contains_key(*id) && self.beats.iter().all(|(beat, _)| beat != id);
        let beating: Vec<&str> = self
            .nodes
            .iter()
            .map(|(id, _)| *id)
            .filter(beating)
            .map(NodeId::as_str)
            .collect();
        if !beating.is_empty() {
            query("UPDATE heartbeats SET beat_at = beat_at WHERE node_id = ANY($1)")
                .bind(&beating)
                .execute(&mut *connection)
                .await?;
        }
        let grown = self.grown(view);
        if !grown.is_empty() {
            query("SELECT 1 FROM nodes WHERE node_id = ANY($1) ORDER BY node_id FOR SHARE")
                .bind(&grown)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    /// The nodes on which more lies afterwards: a drain must not end at the same time.
    pub(super) fn grown(&self, view: &View) -> Vec<&'m str> {
        let mut grown = BTreeSet::new();
        for &(id, row) in &self.chunks {
            let before: BTreeSet<&NodeId> = view.chunks.get(id).map(users).into_iter().flatten().collect();
            grown.extend(
                users(row)
                    .filter(|node| !before.contains(node))
                    .map(NodeId::as_str),
            );
        }
        grown.into_iter().collect()
    }

    /// What becomes of the copies of chunks.
    pub(super) fn copies<'r>(&self, loaded: &'r Loaded) -> CopyChanges<'r>
    where
        'm: 'r,
    {
        let mut changes = CopyChanges::default();
        let known = |id: &ChunkId| {
            let row = loaded.view.chunks.get(id);
            let positions = loaded.positions.get(id);
            (
                row.map_or(&[][..], |row| &row.replicas),
                positions.map_or(&[][..], Vec::as_slice),
            )
        };
        for &(id, row) in &self.chunks {
            let (old, positions) = known(id);
            changes.note(id, old, positions, &row.replicas);
        }
        for &id in &self.deleted_chunks {
            let (old, positions) = known(id);
            changes.note(id, old, positions, &[]);
        }
        changes
    }
}
