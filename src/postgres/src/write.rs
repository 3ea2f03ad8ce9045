//! Writing what a decision came to: rows, what they change in the totals, and what there is to tell of.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnection;
use sqlx::query;

use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::event::{Change, OldFile, Recorder};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{BeatRow, ChunkRow, FileRow, NodeRow, TaskRow, users};
use zephyrfs_core::{Mutation, Totals, View};

use crate::columns::{Time, Uuid};
use crate::error::StoreError;
use crate::load::{Loaded, tasks_by_key};
use crate::statement::Statement;
use crate::tables::chunks::CopyChanges;
use crate::tables::events::Delta;
use crate::tables::sharers::Sharer;
use crate::tables::{chunks, events, files, heartbeats, nodes, releases, requests, sharers, tasks};

/// What a write changes, for who watches and for the totals.
pub(crate) struct Written {
    pub(crate) changes: Vec<Change>,
    pub(crate) delta: Delta,
}

/// Counts are kept along from the middle of their range, so that they may fall below where they began.
const MIDDLE: u64 = 1 << 62;

/// Writes the mutations of the proposal `id`, which was decided on what was loaded.
///
/// # Errors
/// The database's; nothing may be committed then.
pub(crate) async fn write(
    connection: &mut PgConnection,
    id: RequestId,
    mutations: &[Mutation],
    loaded: &Loaded,
) -> Result<Written, StoreError> {
    let plan = Plan::of(mutations);
    let unknown: Vec<TaskKey> = plan.unknown_tasks(&loaded.view);
    let unknown = tasks_by_key(connection, &unknown).await?;
    let written = plan.record(mutations, &loaded.view, &unknown);
    plan.lock(connection, &loaded.view).await?;

    let mut puts = Statement::default();
    nodes::put(&mut puts, &plan.nodes)?;
    heartbeats::put(&mut puts, &plan.beats)?;
    plan.put_files(&mut puts, &loaded.view)?;
    chunks::put(&mut puts, &plan.chunks)?;
    let copies = plan.copies(loaded);
    copies.put(&mut puts)?;
    sharers::put(&mut puts, &plan.sharers)?;
    tasks::put(&mut puts, &plan.tasks)?;
    for mutation in mutations {
        match mutation {
            Mutation::PutRelease(id, row) => match loaded.view.releases.get(id) {
                Some(_) => releases::go_on(&mut puts, *id, row.done)?,
                None => releases::insert(&mut puts, *id, row)?,
            },
            Mutation::PutRequest(key, row) => {
                requests::put(&mut puts, key, row, loaded.view.requests.contains_key(key))?;
            }
            _ => {}
        }
    }
    if !written.changes.is_empty() || written.delta.iter().any(|delta| *delta != 0) {
        let (id, at) = (Uuid(*id.as_bytes()), Time(loaded.now));
        events::insert(&mut puts, id, at, &written.changes, written.delta)?;
    }
    puts.run(connection).await?;

    let mut deletions = Statement::default();
    files::delete(&mut deletions, &plan.deleted_files)?;
    chunks::delete(&mut deletions, &plan.deleted_chunks)?;
    copies.delete(&mut deletions)?;
    sharers::delete(&mut deletions, &plan.deleted_sharers)?;
    releases::delete(&mut deletions, &plan.deleted_releases)?;
    requests::delete(&mut deletions, &plan.deleted_requests)?;
    tasks::delete(&mut deletions, &plan.deleted_tasks.iter().collect::<Vec<_>>())?;
    deletions.run(connection).await?;
    Ok(written)
}

/// The mutations by table, in the order of their keys: transactions that meet lock rows in the same order.
#[derive(Default)]
struct Plan<'m> {
    nodes: Vec<(&'m NodeId, &'m NodeRow)>,
    beats: Vec<(&'m NodeId, &'m BeatRow)>,
    files: Vec<(&'m FileId, &'m FileRow)>,
    deleted_files: Vec<&'m FileId>,
    chunks: Vec<(&'m ChunkId, &'m ChunkRow)>,
    deleted_chunks: Vec<&'m ChunkId>,
    sharers: Vec<Sharer<'m>>,
    deleted_sharers: Vec<(&'m ChunkId, &'m FileId)>,
    deleted_releases: Vec<RequestId>,
    deleted_requests: Vec<&'m str>,
    tasks: Vec<(&'m NodeId, &'m ChunkId, &'m TaskRow)>,
    deleted_tasks: Vec<TaskKey>,
}

impl<'m> Plan<'m> {
    fn of(mutations: &'m [Mutation]) -> Self {
        let mut plan = Self::default();
        for mutation in mutations {
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
                // One at a time, since they hold lists of their own.
                Mutation::PutRelease(..) | Mutation::PutRequest(..) => {}
            }
        }
        plan.nodes.sort_unstable_by_key(|(id, _)| *id);
        plan.beats.sort_unstable_by_key(|(id, _)| *id);
        plan.chunks.sort_unstable_by_key(|(id, _)| *id);
        plan.tasks
            .sort_unstable_by_key(|(node, chunk, _)| (*node, *chunk));
        plan
    }

    /// The tasks that are written or deleted and were not loaded.
    fn unknown_tasks(&self, view: &View) -> Vec<TaskKey> {
        let put = self
            .tasks
            .iter()
            .map(|(node, chunk, _)| ((*node).clone(), (*chunk).clone()));
        put.chain(self.deleted_tasks.iter().cloned())
            .filter(|key| !view.tasks.contains_key(key))
            .collect()
    }

    /// Notes what changes, beside the rows that were there before.
    fn record(&self, mutations: &[Mutation], view: &View, unknown: &BTreeMap<TaskKey, TaskRow>) -> Written {
        let mut totals = Totals::from_counts([MIDDLE; Totals::COUNTS]);
        let mut recorder = Recorder::new(&mut totals);
        let old_task = |key: &TaskKey| view.tasks.get(key).or_else(|| unknown.get(key));
        for mutation in mutations {
            match mutation {
                Mutation::PutNode(id, row) => {
                    let old = view.nodes.get(id).map(AsRef::as_ref);
                    recorder.node_changed(id, old, row);
                }
                Mutation::PutFile(id, row) => {
                    let old = view.files.get(id).map(|old| OldFile {
                        name: &old.name,
                        owner: old.owner.as_ref(),
                        has_same_content: has_same_content(old, row),
                    });
                    recorder.file_written(id, old, row);
                }
                Mutation::DeleteFile(id) => {
                    if view.files.contains_key(id) {
                        recorder.file_deleted(id);
                    }
                }
                Mutation::PutChunk(id, row) => recorder.chunk_written(id, view.chunks.get(id), row),
                Mutation::DeleteChunk(id) => {
                    if let Some(old) = view.chunks.get(id) {
                        recorder.chunk_deleted(id, old);
                    }
                }
                Mutation::PutTask(node, chunk, row) => {
                    let old = old_task(&(node.clone(), chunk.clone()));
                    recorder.task_changed((node, chunk), old, Some(row));
                }
                Mutation::DeleteTask(node, chunk) => {
                    let old = old_task(&(node.clone(), chunk.clone()));
                    recorder.task_changed((node, chunk), old, None);
                }
                Mutation::PutBeat(..)
                | Mutation::PutSharer(..)
                | Mutation::DeleteSharer(..)
                | Mutation::PutRelease(..)
                | Mutation::DeleteRelease(..)
                | Mutation::PutRequest(..)
                | Mutation::DeleteRequest(..) => {}
            }
        }
        let changes = recorder.into_changes();
        let mut delta = [0; Totals::COUNTS];
        for (delta, count) in delta.iter_mut().zip(totals.to_counts()) {
            *delta = count.wrapping_sub(MIDDLE).cast_signed();
        }
        Written { changes, delta }
    }

    /// Locks what was read, decides something and is not written: so that it still holds at the commit. See `DESIGN.md`.
    async fn lock(&self, connection: &mut PgConnection, view: &View) -> Result<(), StoreError> {
        let written: BTreeSet<&ChunkId> = self
            .chunks
            .iter()
            .map(|(id, _)| *id)
            .chain(self.deleted_chunks.iter().copied())
            .collect();
        let read = view.chunks.keys().filter(|id| !written.contains(id));
        let read: Vec<&str> = read.map(ChunkId::as_str).collect();
        if !read.is_empty() {
            query("SELECT 1 FROM chunks WHERE chunk_id = ANY($1) ORDER BY chunk_id FOR SHARE")
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
    fn grown(&self, view: &View) -> Vec<&'m str> {
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

    fn put_files(&self, statement: &mut Statement, view: &View) -> Result<(), StoreError> {
        for &(id, row) in &self.files {
            match view.files.get(id) {
                Some(old) if has_same_content(old, row) && old.created_at == row.created_at => {
                    files::rename(statement, id, row)?;
                }
                Some(_) | None => files::put(statement, id, row)?,
            }
        }
        Ok(())
    }

    fn copies<'r>(&self, loaded: &'r Loaded) -> CopyChanges<'r>
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

fn has_same_content(old: &FileRow, new: &FileRow) -> bool {
    old.hash == new.hash && old.size == new.size && old.chunks == new.chunks
}
