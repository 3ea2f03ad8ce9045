//! Writing what a decision came to: rows, what they change in the totals, and what there is to tell of.

mod additions;
mod plan;
mod record;

use sqlx::postgres::PgConnection;
use zephyrfs_core::Mutation;
use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::id::{FileId, RequestId};
use zephyrfs_core::row::FileRow;

use self::plan::Plan;
use self::record::{has_same_content, record};
use crate::columns::{Time, Uuid};
use crate::error::StoreError;
use crate::load::{Loaded, tasks_by_key};
use crate::statement::{RowsAre, Statement};
use crate::tables::events::NewEvent;
use crate::tables::{chunks, events, files, heartbeats, nodes, releases, requests, sharers, tasks};

pub(crate) use additions::Additions;
pub(crate) use record::Written;

/// What a proposal came to.
pub(crate) struct Decided<'d> {
    pub(crate) id: RequestId,
    pub(crate) mutations: &'d [Mutation],
}

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
    tell_of(&mut inserts, decided, &written, loaded)?;
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

/// Adds to a statement what there is to tell of.
fn tell_of(
    statement: &mut Statement,
    decided: &[Decided<'_>],
    written: &[Written],
    loaded: &Loaded,
) -> Result<(), StoreError> {
    let events = decided
        .iter()
        .zip(written)
        .filter(|(_, written)| !written.is_nothing());
    let events = events.map(|(one, written)| NewEvent {
        id: Uuid(*one.id.as_bytes()),
        changes: &written.changes,
        delta: &written.delta,
        usage: &written.usage,
    });
    events::insert(statement, Time(loaded.now), &events.collect::<Vec<_>>())
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
