//! Reading. Every read is of the database's one state, so every read is as fresh as any.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, query, query_scalar};
use zephyrfs_core::command::ExpireNodes;
use zephyrfs_core::engine::{
    At, BeatingNode, ChunkScan, ClusterChange, ClusterError, Engine, EngineError, EngineStatus, Events,
    EventsError, Freshness, NodeWithBeat, Page, ScanCursor, StorageReport, TaskKey,
};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Proposal, ReadSet, Response, Totals, View};

use super::connections::Held;
use super::start::PostgresEngine;
use super::status::Observed;
use super::trouble::nothing_happened;
use crate::columns::{Time, Uuid, count, to_bigint};
use crate::dump;
use crate::error::StoreError;
use crate::load::{Locking, load};
use crate::tables::{chunks, files, heartbeats, nodes, requests, tasks};

/// All that a transaction reads is of one state.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl PostgresEngine {
    async fn connection(&self) -> Result<Held<'_>, EngineError> {
        self.acquire().await.map_err(nothing_happened)
    }

    /// A read that began at a time is done.
    fn done<T>(
        &self,
        operation: &'static str,
        began: Instant,
        connection: Held<'_>,
        result: Result<T, StoreError>,
    ) -> Result<T, EngineError> {
        connection.keep_unless_gone(&result);
        self.ended(operation, began, &result);
        result.map_err(nothing_happened)
    }

    /// Waits until the last place is what a client has seen, which it is unless it saw another service. The caller keeps the
    /// time.
    async fn wait_for(&self, freshness: Freshness) {
        if let Some(index) = freshness.at_least {
            let mut observed = self.observed.subscribe();
            let is_there = |seen: &Observed| seen.place >= index.get() || seen.obstacle().is_some();
            // It ends with the engine at the latest.
            drop(observed.wait_for(is_there).await);
        }
    }

    /// Rows that each stand for themselves, each statement by itself: that saves a transaction. Where a statement follows another it
    /// is for the nodes of copies, which may be a moment newer than the copies; nodes never go.
    async fn simple_view(&self, reads: &ReadSet, began: Instant) -> Result<At<View>, EngineError> {
        // As of before: what is read may be newer.
        let index = self.index();
        let mut connection = self.connection().await?;
        let loaded = load(
            connection.server().map_err(nothing_happened)?,
            reads,
            Locking::Undated,
        )
        .await;
        let value = self.done("view", began, connection, loaded)?.view;
        Ok(At { index, value })
    }

    fn index(&self) -> AppliedIndex {
        AppliedIndex::new(self.observed.borrow().place)
    }
}

/// Whether each row that is asked for stands for itself: none is found by what another says, which may be gone a moment later.
/// Nodes never are.
fn is_simple(reads: &ReadSet) -> bool {
    let of_others =
        reads.file_chunks.len() + reads.releases.len() + reads.node_tasks.len() + reads.usage.len();
    // Whoever asks for nothing wants to know how far the events are.
    of_others == 0 && reads.sharers.is_none() && *reads != ReadSet::default()
}

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

async fn view(connection: &mut PgConnection, reads: &ReadSet) -> Result<At<View>, StoreError> {
    let nodes_alone = ReadSet {
        nodes: reads.nodes.clone(),
        ..ReadSet::default()
    };
    // A single statement is of one state by itself.
    let loaded = if *reads == nodes_alone {
        load(connection, reads, Locking::No).await?
    } else {
        let mut transaction = connection.begin_with(SNAPSHOT).await?;
        let loaded = load(&mut transaction, reads, Locking::No).await?;
        transaction.commit().await?;
        loaded
    };
    Ok(At {
        index: AppliedIndex::new(count(loaded.place)?),
        value: loaded.view,
    })
}

async fn all_nodes(connection: &mut PgConnection) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, StoreError> {
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

async fn beating_nodes(
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

async fn due(
    connection: &mut PgConnection,
    silent_since: Timestamp,
    now: Timestamp,
) -> Result<Vec<NodeId>, StoreError> {
    // A first sieve; the rule itself is the core's.
    let sql = format!(
        "SELECT {}, {} FROM nodes LEFT JOIN heartbeats ON heartbeats.node_id = nodes.node_id \
         WHERE beat_at IS NULL OR (beat_at < $1 AND silent_since IS NULL) OR maintenance_until <= $2 \
         ORDER BY nodes.node_id",
        nodes::COLUMNS,
        heartbeats::COLUMNS
    );
    let rows = query(AssertSqlSafe(sql))
        .bind(Time(silent_since))
        .bind(Time(now))
        .fetch_all(connection)
        .await?;
    let mut due = Vec::new();
    for row in &rows {
        let beat = heartbeats::read(row)?;
        if ExpireNodes::is_due(&nodes::read(row)?, beat.as_ref(), silent_since, now) {
            due.push(NodeId::new(row.try_get::<&str, _>("node_id")?));
        }
    }
    Ok(due)
}

async fn chunks_after(
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

async fn tasks_after(
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

#[async_trait]
impl Engine for PostgresEngine {
    async fn execute(&self, proposal: Proposal, within: Duration) -> Result<At<Response>, EngineError> {
        self.propose(proposal, within).await
    }

    async fn view(&self, reads: ReadSet, freshness: Freshness) -> Result<At<View>, EngineError> {
        self.wait_for(freshness).await;
        let began = Instant::now();
        if is_simple(&reads) {
            return self.simple_view(&reads, began).await;
        }
        let mut connection = self.connection().await?;
        let viewed = view(connection.server().map_err(nothing_happened)?, &reads).await;
        self.done("view", began, connection, viewed)
    }

    async fn nodes(&self, freshness: Freshness) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, EngineError> {
        self.wait_for(freshness).await;
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let nodes = all_nodes(connection.server().map_err(nothing_happened)?).await;
        self.done("nodes", began, connection, nodes)
    }

    async fn beating(&self, nodes: &[NodeId]) -> Result<At<Vec<Option<BeatingNode>>>, EngineError> {
        let index = self.index();
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let known = beating_nodes(connection.server().map_err(nothing_happened)?, nodes).await;
        let known = self.done("beating", began, connection, known)?;
        Ok(At {
            index,
            value: nodes.iter().map(|id| known.get(id).cloned()).collect(),
        })
    }

    async fn due_nodes(&self, silent_since: Timestamp, now: Timestamp) -> Result<Vec<NodeId>, EngineError> {
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let due = due(connection.server().map_err(nothing_happened)?, silent_since, now).await;
        self.done("due_nodes", began, connection, due)
    }

    async fn files(
        &self,
        after: Option<FileId>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<FileId, FileRow>>, EngineError> {
        self.wait_for(freshness).await;
        // As of before: what is read may be newer.
        let index = self.index();
        let began = Instant::now();
        let sql = format!(
            "SELECT {} FROM files WHERE file_id > $1 ORDER BY file_id LIMIT $2",
            files::COLUMNS
        );
        let mut connection = self.connection().await?;
        let rows = query(AssertSqlSafe(sql))
            .bind(after.as_ref().map_or("", FileId::as_str))
            .bind(one_more(limit))
            .fetch_all(connection.server().map_err(nothing_happened)?)
            .await;
        let files = rows
            .map_err(StoreError::from)
            .and_then(|rows| page(&rows, limit, files::read));
        Ok(At {
            index,
            value: self.done("files", began, connection, files)?,
        })
    }

    async fn unreferenced_chunks(
        &self,
        cursor: Option<ChunkId>,
        limit: usize,
    ) -> Result<Page<ChunkId, ChunkRow>, EngineError> {
        let began = Instant::now();
        let after = cursor.as_ref().map_or("", ChunkId::as_str);
        let mut connection = self.connection().await?;
        let page = chunks_after(
            connection.server().map_err(nothing_happened)?,
            after,
            limit,
            "AND home_file_id IS NULL",
        )
        .await;
        self.done("unreferenced_chunks", began, connection, page)
    }

    async fn scan_chunks(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ChunkScan, EngineError> {
        let began = Instant::now();
        let after = cursor
            .as_ref()
            .map_or(Ok(""), |cursor| std::str::from_utf8(cursor.as_bytes()));
        let after = after.map_err(|error| EngineError::Failed {
            reason: format!("a scan was to go on from a place of another engine: {error}"),
        })?;
        let mut connection = self.connection().await?;
        let page = chunks_after(connection.server().map_err(nothing_happened)?, after, limit, "").await;
        let Page { items, next } = self.done("scan_chunks", began, connection, page)?;
        let next = next.map(|id| ScanCursor::new(id.as_str().as_bytes().to_vec()));
        Ok(ChunkScan { items, next })
    }

    async fn tasks(
        &self,
        node: Option<NodeId>,
        after: Option<TaskKey>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<TaskKey, TaskRow>>, EngineError> {
        self.wait_for(freshness).await;
        // As of before: what is read may be newer.
        let index = self.index();
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let page = tasks_after(
            connection.server().map_err(nothing_happened)?,
            node.as_ref(),
            after.as_ref(),
            limit,
        )
        .await;
        Ok(At {
            index,
            value: self.done("tasks", began, connection, page)?,
        })
    }

    async fn requests(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<String, RequestRow>, EngineError> {
        let began = Instant::now();
        let sql = format!(
            "SELECT {} FROM requests WHERE request_key > $1 ORDER BY request_key LIMIT $2",
            requests::COLUMNS
        );
        let mut connection = self.connection().await?;
        let rows = query(AssertSqlSafe(sql))
            .bind(after.unwrap_or_default())
            .bind(one_more(limit))
            .fetch_all(connection.server().map_err(nothing_happened)?)
            .await;
        let page = rows
            .map_err(StoreError::from)
            .and_then(|rows| page(&rows, limit, requests::read));
        self.done("requests", began, connection, page)
    }

    async fn releases(&self, limit: usize) -> Result<Vec<RequestId>, EngineError> {
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let ids: Result<Vec<Uuid>, sqlx::Error> =
            query_scalar("SELECT release_id FROM releases ORDER BY release_id LIMIT $1")
                .bind(to_bigint(limit as u64))
                .fetch_all(connection.server().map_err(nothing_happened)?)
                .await;
        let ids = self.done("releases", began, connection, ids.map_err(StoreError::from))?;
        Ok(ids.into_iter().map(|id| RequestId::from_bytes(id.0)).collect())
    }

    async fn events(
        &self,
        after: AppliedIndex,
        limit: usize,
        within: Duration,
    ) -> Result<Events, EventsError> {
        self.events_after(after, limit, within).await
    }

    fn totals(&self) -> At<Totals> {
        At {
            index: self.index(),
            value: self.own.totals(|| self.observed.borrow().totals),
        }
    }

    fn registry_version(&self) -> u64 {
        self.registry_version.load(Ordering::Relaxed)
    }

    fn status(&self) -> EngineStatus {
        self.engine_status()
    }

    fn leader_address(&self) -> Option<Arc<str>> {
        self.observed.borrow().leader_address.clone()
    }

    async fn change_cluster(&self, change: ClusterChange, _within: Duration) -> Result<String, ClusterError> {
        let instead = match change {
            ClusterChange::TransferLeader { .. } => {
                "the instance that leads hands over by itself when it is stopped"
            }
            ClusterChange::RemoveMember { .. } => "stop the instance: it is forgotten after a while",
            ClusterChange::Resize { .. } => "start or stop instances, as many as are wanted",
        };
        Err(ClusterError::Refused {
            reason: format!("not applicable: engine postgres; {instead}"),
        })
    }

    async fn storage(&self) -> Result<StorageReport, EngineError> {
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let report = storage(connection.server().map_err(nothing_happened)?).await;
        self.done("storage", began, connection, report)
    }

    async fn dump(&self, take: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<AppliedIndex, EngineError> {
        let began = Instant::now();
        let mut connection = self.connection().await?;
        let dumped = dump_all(connection.server().map_err(nothing_happened)?, take).await;
        self.ended("dump", began, &dumped);
        // The connection is closed: one that nobody reads to the end still has rows to give.
        dumped.map_err(nothing_happened)
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }
}

async fn dump_all(
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
    let place: i64 = query_scalar("SELECT last_place FROM coordinator")
        .fetch_one(&mut *transaction)
        .await?;
    if dump::dump(&mut transaction, take).await? {
        transaction.commit().await?;
    }
    Ok(AppliedIndex::new(count(place)?))
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
async fn storage(connection: &mut PgConnection) -> Result<StorageReport, StoreError> {
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
