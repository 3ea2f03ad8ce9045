//! What the service asks of an engine, answered from the database's one state: every answer is as fresh as any.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, query, query_scalar};
use zephyrfs_core::engine::{
    At, BeatingNode, ChunkScan, ClusterChange, ClusterError, Engine, EngineError, EngineStatus, Events,
    EventsError, Freshness, NodeWithBeat, Page, ScanCursor, StorageReport, TaskKey,
};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Proposal, ReadSet, Response, Totals, View};

use super::connections::Held;
use super::reads::{
    all_nodes, beating_nodes, chunks_after, due, dump_all, one_more, page, storage, tasks_after, view,
};
use super::start::PostgresEngine;
use super::status::Observed;
use super::trouble::nothing_happened;
use crate::columns::{Uuid, to_bigint};
use crate::error::StoreError;
use crate::load::{Locking, load};
use crate::tables::{files, requests};

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
