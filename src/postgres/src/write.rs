//! Writing what a decision came to: rows, what they change in the totals, and what there is to tell of.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnection;
use sqlx::query;
use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::event::{Change, OldFile, Recorder};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{BeatRow, ChunkRow, FileRow, NodeRow, ReleaseRow, RequestRow, TaskRow, users};
use zephyrfs_core::{Mutation, Totals, View};

use crate::columns::{Time, Uuid};
use crate::error::StoreError;
use crate::load::{Loaded, tasks_by_key};
use crate::statement::{RowsAre, Statement};
use crate::tables::chunks::CopyChanges;
use crate::tables::events::{Delta, NewEvent};
use crate::tables::sharers::Sharer;
use crate::tables::usage::UsageDelta;
use crate::tables::{chunks, events, files, heartbeats, nodes, releases, requests, sharers, tasks};

/// What a proposal came to.
pub(crate) struct Decided<'d> {
    pub(crate) id: RequestId,
    pub(crate) mutations: &'d [Mutation],
}

/// What a write changes, for who watches and for the totals.
pub(crate) struct Written {
    pub(crate) changes: Vec<Change>,
    pub(crate) delta: Delta,
    usage: UsageDelta,
}

impl Written {
    fn is_nothing(&self) -> bool {
        self.changes.is_empty() && self.delta.iter().all(|delta| *delta == 0) && self.usage.is_empty()
    }
}

/// Counts are kept along from the middle of their range, so that they may fall below where they began.
const MIDDLE: u64 = 1 << 62;

/// Writes what proposals came to that were decided on what was loaded. No two of them may write the same row.
///
/// # Errors
/// The database's; nothing may be committed then.
pub(crate) async fn write(
    connection: &mut PgConnection,
    decided: &[Decided<'_>],
    loaded: &Loaded,
) -> Result<Vec<Written>, StoreError> {
    let plan = Plan::of(decided);
    let unknown: Vec<TaskKey> = plan.unknown_tasks(&loaded.view);
    let unknown = tasks_by_key(connection, &unknown).await?;
    let written: Vec<Written> = decided
        .iter()
        .map(|one| record(one.mutations, &loaded.view, &unknown))
        .collect();
    plan.lock(connection, &loaded.view).await?;
    let copies = plan.copies(loaded);
    let view = &loaded.view;

    let nodes = apart(&plan.nodes, |(id, _)| view.nodes.contains_key(*id));
    let beats = apart(&plan.beats, |(id, _)| view.beats.contains_key(*id));
    let chunks = apart(&plan.chunks, |(id, _)| view.chunks.contains_key(*id));
    let files = apart(&plan.files, |(id, _)| view.files.contains_key(*id));
    let sharers = apart(&plan.sharers, |(chunk, file, _)| {
        view.sharers.contains_key(&((*chunk).clone(), (*file).clone()))
    });
    let tasks = apart(&plan.tasks, |(node, chunk, _)| {
        let key = ((*node).clone(), (*chunk).clone());
        view.tasks.contains_key(&key) || unknown.contains_key(&key)
    });

    let mut inserts = Statement::default();
    nodes::put(&mut inserts, &nodes.new, RowsAre::New)?;
    heartbeats::put(&mut inserts, &beats.new, RowsAre::New)?;
    chunks::put(&mut inserts, &chunks.new, RowsAre::New)?;
    copies.insert(&mut inserts)?;
    files::put(&mut inserts, &files.new, RowsAre::New)?;
    sharers::put(&mut inserts, &sharers.new, RowsAre::New)?;
    tasks::put(&mut inserts, &tasks.new, RowsAre::New)?;
    for &(id, row) in plan
        .releases
        .iter()
        .filter(|(id, _)| !view.releases.contains_key(id))
    {
        releases::insert(&mut inserts, id, row)?;
    }
    for &(key, row) in plan
        .requests
        .iter()
        .filter(|(key, _)| !view.requests.contains_key(*key))
    {
        requests::insert(&mut inserts, key, row)?;
    }
    let events = decided
        .iter()
        .zip(&written)
        .filter(|(_, written)| !written.is_nothing());
    let events = events.map(|(one, written)| NewEvent {
        id: Uuid(*one.id.as_bytes()),
        changes: &written.changes,
        delta: &written.delta,
        usage: &written.usage,
    });
    events::insert(&mut inserts, Time(loaded.now), &events.collect::<Vec<_>>())?;
    inserts.run(connection).await?;

    let mut updates = Statement::default();
    nodes::put(&mut updates, &nodes.known, RowsAre::Known)?;
    heartbeats::put(&mut updates, &beats.known, RowsAre::Known)?;
    chunks::put(&mut updates, &chunks.known, RowsAre::Known)?;
    copies.update(&mut updates)?;
    let has_new_content = |(id, row): &(&FileId, &FileRow)| {
        let old = view.files.get(*id);
        old.is_none_or(|old| !has_same_content(old, row) || old.created_at != row.created_at)
    };
    let (replaced, renamed): (Vec<_>, Vec<_>) = files.known.iter().partition(|file| has_new_content(file));
    files::put(&mut updates, &replaced, RowsAre::Known)?;
    sharers::put(&mut updates, &sharers.known, RowsAre::Known)?;
    tasks::put(&mut updates, &tasks.known, RowsAre::Known)?;
    for &(id, row) in plan
        .releases
        .iter()
        .filter(|(id, _)| view.releases.contains_key(id))
    {
        releases::go_on(&mut updates, id, row.done)?;
    }
    for &(key, row) in plan
        .requests
        .iter()
        .filter(|(key, _)| view.requests.contains_key(*key))
    {
        requests::update(&mut updates, key, row)?;
    }
    updates.run(connection).await?;
    // Apart from files with new content: a statement that writes to one table twice is not understood everywhere.
    for (id, row) in renamed {
        let mut rename = Statement::default();
        files::rename(&mut rename, id, row)?;
        rename.run(connection).await?;
    }

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

/// Rows that were there when they were read, and rows that were not.
struct Apart<T> {
    known: Vec<T>,
    new: Vec<T>,
}

fn apart<T: Copy>(rows: &[T], is_known: impl Fn(&T) -> bool) -> Apart<T> {
    let (known, new) = rows.iter().partition(|row| is_known(row));
    Apart { known, new }
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
    releases: Vec<(RequestId, &'m ReleaseRow)>,
    requests: Vec<(&'m str, &'m RequestRow)>,
    deleted_releases: Vec<RequestId>,
    deleted_requests: Vec<&'m str>,
    tasks: Vec<(&'m NodeId, &'m ChunkId, &'m TaskRow)>,
    deleted_tasks: Vec<TaskKey>,
}

impl<'m> Plan<'m> {
    fn of(decided: &[Decided<'m>]) -> Self {
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

    /// Touches or locks what was read, decides something and is not written: see `DESIGN.md` for what that is good for.
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

/// Notes what changes, beside the rows that were there before.
fn record(mutations: &[Mutation], view: &View, unknown: &BTreeMap<TaskKey, TaskRow>) -> Written {
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
    Written {
        changes,
        delta,
        usage: UsageDelta::of(mutations, view),
    }
}

fn has_same_content(old: &FileRow, new: &FileRow) -> bool {
    old.hash == new.hash && old.size == new.size && old.chunks == new.chunks
}
