//! The statements of reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, query, query_scalar};
use zephyrfs_core::command::ExpireNodes;
use zephyrfs_core::engine::{At, BeatingNode, NodeWithBeat, Page, StorageReport, TaskKey};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{ReadSet, View};

use crate::columns::{Time, Uuid, count, to_bigint};
use crate::dump;
use crate::error::StoreError;
use crate::load::{Locking, load};
use crate::tables::{chunks, files, heartbeats, nodes, requests, tasks};

/// All that a transaction reads is of one state.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Rows of a part of a table, in the order of their keys, and whether there are more: one more than asked for was read.
fn page<K: Clone, V>(
    rows: &[PgRow],
    limit: usize,
    read: impl Fn(&PgRow) -> Result<(K, V), StoreError>,
) -> Result<Page<K, V>, StoreError> {
    let items: Vec<(K, V)> = rows.iter().take(limit).map(read).collect::<Result<_, _>>()?;
    let next = items
        .last()
        .filter(|_| rows.len() > limit)
        .map(|(key, _)| key.clone());
    Ok(Page { items, next })
}

/// One more than a page, as a limit.
fn one_more(limit: usize) -> i64 {
    to_bigint(limit as u64).saturating_add(1)
}

/// How far the events are.
pub(super) async fn last_place(connection: &mut PgConnection) -> Result<AppliedIndex, StoreError> {
    let place = query_scalar("SELECT last_place FROM coordinator")
        .fetch_one(connection)
        .await?;
    Ok(AppliedIndex::new(count(place)?))
}

/// Rows that are all of one state.
pub(super) async fn view(connection: &mut PgConnection, reads: &ReadSet) -> Result<View, StoreError> {
    let mut transaction = connection.begin_with(SNAPSHOT).await?;
    let loaded = load(&mut transaction, reads, Locking::Undated).await?;
    transaction.commit().await?;
    Ok(loaded.view)
}

pub(super) async fn all_nodes(
    connection: &mut PgConnection,
) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, StoreError> {
    let sql = format!(
        "SELECT last_place, {}, {} FROM coordinator LEFT JOIN nodes ON true \
         LEFT JOIN heartbeats ON heartbeats.node_id = nodes.node_id ORDER BY nodes.node_id",
        nodes::COLUMNS,
        heartbeats::COLUMNS
    );
    let mut rows = query(AssertSqlSafe(sql)).fetch(connection);
    let (mut place, mut all) = (0, Vec::new());
    while let Some(row) = rows.try_next().await? {
        place = row.try_get("last_place")?;
        if let Some(id) = row.try_get::<Option<&str>, _>("node_id")? {
            let node = (Arc::new(nodes::read(&row)?), heartbeats::read(&row)?);
            all.push((NodeId::new(id), node));
        }
    }
    Ok(At {
        index: AppliedIndex::new(count(place)?),
        value: all,
    })
}

pub(super) async fn beating_nodes(
    connection: &mut PgConnection,
    ids: &[NodeId],
) -> Result<BTreeMap<NodeId, BeatingNode>, StoreError> {
    let names: Vec<&str> = ids
        .iter()
        .map(NodeId::as_str)
        .filter(|id| !id.contains('\0'))
        .collect();
    let sql = format!(
        "SELECT {}, {}, (SELECT count(*) FROM tasks WHERE tasks.node_id = nodes.node_id) AS tasks FROM nodes \
         LEFT JOIN heartbeats ON heartbeats.node_id = nodes.node_id WHERE nodes.node_id = ANY($1)",
        nodes::COLUMNS,
        heartbeats::COLUMNS
    );
    let rows = query(AssertSqlSafe(sql))
        .bind(names)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let node = BeatingNode {
                row: Arc::new(nodes::read(row)?),
                beat: heartbeats::read(row)?,
                tasks: usize::try_from(count(row.try_get("tasks")?)?).unwrap_or(usize::MAX),
            };
            Ok((NodeId::new(row.try_get::<&str, _>("node_id")?), node))
        })
        .collect()
}

pub(super) async fn due(
    connection: &mut PgConnection,
    silent_since: Timestamp,
    now: Timestamp,
) -> Result<Vec<NodeId>, StoreError> {
    // A first sieve; the rule itself is the core's. Registering a node writes its heartbeat too, so one without any is not looked
    // for. Heartbeats are read from one end to the other: an index by their time would have to be written with each of them, and
    // going through all nodes to the heartbeat of each takes ten times as long.
    let sql = format!(
        "WITH late AS MATERIALIZED (SELECT * FROM heartbeats WHERE beat_at < $1) \
         SELECT {nodes}, {beats} FROM late JOIN nodes ON nodes.node_id = late.node_id WHERE silent_since IS NULL UNION ALL \
         SELECT {nodes}, {beats} FROM nodes LEFT JOIN heartbeats ON heartbeats.node_id = nodes.node_id \
         WHERE maintenance_until <= $2",
        nodes = nodes::COLUMNS,
        beats = heartbeats::COLUMNS
    );
    let rows = query(AssertSqlSafe(sql))
        .bind(Time(silent_since))
        .bind(Time(now))
        .fetch_all(connection)
        .await?;
    // A node may be both.
    let mut due = BTreeSet::new();
    for row in &rows {
        let beat = heartbeats::read(row)?;
        if ExpireNodes::is_due(&nodes::read(row)?, beat.as_ref(), silent_since, now) {
            due.insert(NodeId::new(row.try_get::<&str, _>("node_id")?));
        }
    }
    Ok(due.into_iter().collect())
}

pub(super) async fn files_after(
    connection: &mut PgConnection,
    after: &str,
    limit: usize,
) -> Result<Page<FileId, FileRow>, StoreError> {
    let sql = format!(
        "SELECT {} FROM files WHERE file_id > $1 ORDER BY file_id LIMIT $2",
        files::COLUMNS
    );
    let rows = query(AssertSqlSafe(sql)).bind(after).bind(one_more(limit));
    page(&rows.fetch_all(connection).await?, limit, files::read)
}

pub(super) async fn requests_after(
    connection: &mut PgConnection,
    after: &str,
    limit: usize,
) -> Result<Page<String, RequestRow>, StoreError> {
    let sql = format!(
        "SELECT {} FROM requests WHERE request_key > $1 ORDER BY request_key LIMIT $2",
        requests::COLUMNS
    );
    let rows = query(AssertSqlSafe(sql)).bind(after).bind(one_more(limit));
    page(&rows.fetch_all(connection).await?, limit, requests::read)
}

pub(super) async fn first_releases(
    connection: &mut PgConnection,
    limit: usize,
) -> Result<Vec<RequestId>, StoreError> {
    let ids: Vec<Uuid> = query_scalar("SELECT release_id FROM releases ORDER BY release_id LIMIT $1")
        .bind(to_bigint(limit as u64))
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(|id| RequestId::from_bytes(id.0)).collect())
}

pub(super) async fn chunks_after(
    connection: &mut PgConnection,
    after: &str,
    limit: usize,
    condition: &str,
) -> Result<Page<ChunkId, ChunkRow>, StoreError> {
    let sql = format!(
        "SELECT {} FROM {} WHERE chunks.chunk_id > $1 {condition} ORDER BY chunks.chunk_id LIMIT $2",
        chunks::COLUMNS,
        chunks::FROM
    );
    let rows = query(AssertSqlSafe(sql))
        .bind(after)
        .bind(one_more(limit))
        .fetch_all(connection)
        .await?;
    page(&rows, limit, |row| {
        let stored = chunks::read(row)?;
        Ok((stored.id, stored.row))
    })
}

pub(super) async fn tasks_after(
    connection: &mut PgConnection,
    node: Option<&NodeId>,
    after: Option<&TaskKey>,
    limit: usize,
) -> Result<Page<TaskKey, TaskRow>, StoreError> {
    let after_chunk = after.map_or("", |(_, chunk)| chunk.as_str());
    let rows = if let Some(node) = node {
        let sql = format!(
            "SELECT {} FROM tasks WHERE node_id = $1 AND chunk_id > $2 ORDER BY chunk_id LIMIT $3",
            tasks::COLUMNS
        );
        let rows = query(AssertSqlSafe(sql)).bind(node.as_str()).bind(after_chunk);
        rows.bind(one_more(limit)).fetch_all(connection).await?
    } else {
        let sql = format!(
            "SELECT {} FROM tasks WHERE (node_id, chunk_id) > ($1, $2) ORDER BY node_id, chunk_id LIMIT $3",
            tasks::COLUMNS
        );
        let after_node = after.map_or("", |(node, _)| node.as_str());
        let rows = query(AssertSqlSafe(sql)).bind(after_node).bind(after_chunk);
        rows.bind(one_more(limit)).fetch_all(connection).await?
    };
    page(&rows, limit, tasks::read)
}

pub(super) async fn dump_all(
    connection: &mut PgConnection,
    take: &mut (dyn FnMut(Row) -> bool + Send),
) -> Result<AppliedIndex, StoreError> {
    let mut transaction = connection.begin_with(SNAPSHOT).await?;
    // Whoever takes the rows may be slow, and a large table takes long anyway.
    for setting in [
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
    ] {
        transaction.execute(setting).await?;
    }
    let place = last_place(&mut transaction).await?;
    if dump::dump(&mut transaction, take).await? {
        transaction.commit().await?;
    }
    Ok(place)
}

/// The tables that hold rows of the state.
const TABLES: [&str; 9] = [
    "nodes",
    "heartbeats",
    "files",
    "chunks",
    "chunk_replicas",
    "chunk_sharers",
    "releases",
    "requests",
    "tasks",
];

/// Rows as the database estimates them: counting them all would take long.
pub(super) async fn storage(connection: &mut PgConnection) -> Result<StorageReport, StoreError> {
    let size: i64 = query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(&mut *connection)
        .await?;
    let mut rows = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let estimate: f64 = query_scalar(
            "SELECT greatest(reltuples, 0)::double precision FROM pg_class WHERE oid = to_regclass($1)",
        )
        .bind(table)
        .fetch_one(&mut *connection)
        .await?;
        rows.push((table, estimate as u64));
    }
    Ok(StorageReport {
        bytes_on_disk: vec![("database", count(size)?)],
        rows,
    })
}
