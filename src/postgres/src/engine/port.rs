//! What the service asks of an engine, answered from the database's one state: every answer is as fresh as any.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use zephyrfs_core::engine::{
    At, BeatingNode, ChunkScan, ClusterChange, ClusterError, Engine, EngineError, EngineStatus, Events,
    EventsError, Freshness, NodeWithBeat, Page, ScanCursor, StorageReport, TaskKey,
};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Proposal, ReadSet, Response, Totals, View};

use super::reads::{
    all_nodes, beating_nodes, chunks_after, due, dump_all, files_after, first_releases, last_place,
    requests_after, storage, tasks_after, view,
};
use super::start::PostgresEngine;
use super::status::Observed;
use super::trouble::nothing_happened;
use crate::error::StoreError;
use crate::load::{Locking, load};

impl PostgresEngine {
    /// Reads over one of the connections. A server that vanished without a word is not waited for longer than it may take for a
    /// statement: then the connection is closed.
    async fn read<T>(
        &self,
        operation: &'static str,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, EngineError> {
        let began = Instant::now();
        let mut connection = self.acquire().await.map_err(nothing_happened)?;
        let result = self.answered(async { read(connection.server()?).await }).await;
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

    /// What most answers say of how far the events are: as of before, since what is read may be newer. The row that says so is
    /// written all the time, and where somebody holds a snapshot for hours each of its versions is a step to the last one: so it is
    /// not read for every request.
    pub(super) fn index(&self) -> AppliedIndex {
        AppliedIndex::new(self.observed.borrow().place)
    }

    /// What may be told of an index that was read: the keeper has to have seen it, who sees when the database lacks it later.
    fn seen(&self, index: AppliedIndex) -> AppliedIndex {
        index.min(self.index())
    }
}

/// Whether each row that is asked for stands for itself: none is found by what another says, which may be gone a moment later.
/// Nodes never are.
fn is_simple(reads: &ReadSet) -> bool {
    let of_others =
        reads.file_chunks.len() + reads.releases.len() + reads.node_tasks.len() + reads.usage.len();
    of_others == 0 && reads.sharers.is_none()
}

#[async_trait]
impl Engine for PostgresEngine {
    async fn execute(&self, proposal: Proposal, within: Duration) -> Result<At<Response>, EngineError> {
        self.propose(proposal, within).await
    }

    async fn view(&self, reads: ReadSet, freshness: Freshness) -> Result<At<View>, EngineError> {
        self.wait_for(freshness).await;
        if reads == ReadSet::default() {
            // Whoever asks for nothing wants to know how far the events are, and that the database answers.
            let asking = async |connection: &mut PgConnection| last_place(connection).await;
            let index = self.seen(self.read("view", asking).await?);
            let value = View::default();
            return Ok(At { index, value });
        }
        let index = self.index();
        let loading = async |connection: &mut PgConnection| {
            if is_simple(&reads) {
                // Each statement by itself saves a transaction. Where one follows another it is for the nodes of copies, which may
                // be a moment newer than the copies; nodes never go.
                let loaded = load(connection, &reads, Locking::Undated).await?;
                Ok(loaded.view)
            } else {
                view(connection, &reads).await
            }
        };
        let value = self.read("view", loading).await?;
        Ok(At { index, value })
    }

    async fn nodes(&self, freshness: Freshness) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, EngineError> {
        self.wait_for(freshness).await;
        let asking = async |connection: &mut PgConnection| all_nodes(connection).await;
        let At { index, value } = self.read("nodes", asking).await?;
        Ok(At {
            index: self.seen(index),
            value,
        })
    }

    async fn beating(&self, nodes: &[NodeId]) -> Result<At<Vec<Option<BeatingNode>>>, EngineError> {
        let index = self.index();
        let asking = async |connection: &mut PgConnection| beating_nodes(connection, nodes).await;
        let known = self.read("beating", asking).await?;
        Ok(At {
            index,
            value: nodes.iter().map(|id| known.get(id).cloned()).collect(),
        })
    }

    async fn due_nodes(&self, silent_since: Timestamp, now: Timestamp) -> Result<Vec<NodeId>, EngineError> {
        let asking = async |connection: &mut PgConnection| due(connection, silent_since, now).await;
        self.read("due_nodes", asking).await
    }

    async fn files(
        &self,
        after: Option<FileId>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<FileId, FileRow>>, EngineError> {
        self.wait_for(freshness).await;
        let index = self.index();
        let after = after.as_ref().map_or("", FileId::as_str);
        let asking = async |connection: &mut PgConnection| files_after(connection, after, limit).await;
        let value = self.read("files", asking).await?;
        Ok(At { index, value })
    }

    async fn unreferenced_chunks(
        &self,
        cursor: Option<ChunkId>,
        limit: usize,
    ) -> Result<Page<ChunkId, ChunkRow>, EngineError> {
        let after = cursor.as_ref().map_or("", ChunkId::as_str);
        let asking = async |connection: &mut PgConnection| {
            chunks_after(connection, after, limit, "AND home_file_id IS NULL").await
        };
        self.read("unreferenced_chunks", asking).await
    }

    async fn scan_chunks(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ChunkScan, EngineError> {
        let after = cursor
            .as_ref()
            .map_or(Ok(""), |cursor| std::str::from_utf8(cursor.as_bytes()));
        let after = after.map_err(|error| EngineError::Failed {
            reason: format!("a scan was to go on from a place of another engine: {error}"),
        })?;
        let asking = async |connection: &mut PgConnection| chunks_after(connection, after, limit, "").await;
        let Page { items, next } = self.read("scan_chunks", asking).await?;
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
        let index = self.index();
        let asking = async |connection: &mut PgConnection| {
            tasks_after(connection, node.as_ref(), after.as_ref(), limit).await
        };
        let value = self.read("tasks", asking).await?;
        Ok(At { index, value })
    }

    async fn requests(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<String, RequestRow>, EngineError> {
        let after = after.unwrap_or_default();
        let asking = async |connection: &mut PgConnection| requests_after(connection, &after, limit).await;
        self.read("requests", asking).await
    }

    async fn releases(&self, limit: usize) -> Result<Vec<RequestId>, EngineError> {
        let asking = async |connection: &mut PgConnection| first_releases(connection, limit).await;
        self.read("releases", asking).await
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
        self.read("storage", async |connection| storage(connection).await)
            .await
    }

    async fn dump(&self, take: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<AppliedIndex, EngineError> {
        let began = Instant::now();
        let mut connection = self.acquire().await.map_err(nothing_happened)?;
        // All rows together may take long; from one to the next it takes no longer than a statement may.
        let heard = watch::Sender::new(());
        let mut rows = heard.subscribe();
        let mut take = |row| {
            let goes_on = take(row);
            heard.send_replace(());
            goes_on
        };
        let dumping = async { dump_all(connection.server()?, &mut take).await };
        let silence = async { while self.answered(async { Ok(rows.changed().await) }).await.is_ok() {} };
        let dumped = tokio::select! {
            dumped = dumping => dumped,
            () = silence => Err(StoreError::Gone("it sends no further rows".to_owned())),
        };
        self.ended("dump", began, &dumped);
        // The connection is closed: one that nobody reads to the end still has rows to give.
        dumped.map_err(nothing_happened)
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }
}
