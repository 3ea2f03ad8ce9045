//! Counts what becomes of commands, whoever proposes them, and how often the leader changes: a decorator around the engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zephyrfs_core::engine::{
    At, BeatingNode, ChunkScan, ClusterChange, ClusterError, EngineError, EngineStatus, Events, EventsError,
    Freshness, NodeWithBeat, Page, ScanCursor, StorageReport, TaskKey,
};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Engine, Proposal, ReadSet, Response, Totals, View};

use super::Metrics;

/// An engine whose commands are counted by name and outcome.
pub struct MeteredEngine {
    engine: Arc<dyn Engine>,
    metrics: Metrics,
}

impl MeteredEngine {
    /// Counts the commands given to `engine`.
    pub const fn new(engine: Arc<dyn Engine>, metrics: Metrics) -> Self {
        Self { engine, metrics }
    }
}

/// The outcome's label.
const fn outcome(result: &Result<At<Response>, EngineError>) -> &'static str {
    match result {
        Ok(_) => "applied",
        Err(EngineError::Rejected { .. }) => "rejected",
        Err(EngineError::Unavailable { .. }) => "unavailable",
        Err(EngineError::Overloaded { .. }) => "overloaded",
        Err(EngineError::UnknownOutcome { .. }) => "unknown",
        Err(EngineError::TimedOut { .. }) => "timed_out",
        Err(EngineError::Failed { .. }) => "failed",
    }
}

#[async_trait]
impl Engine for MeteredEngine {
    async fn execute(&self, proposal: Proposal, within: Duration) -> Result<At<Response>, EngineError> {
        let command = proposal.command.name();
        let result = self.engine.execute(proposal, within).await;
        self.metrics.command(command, outcome(&result));
        result
    }

    async fn view(&self, reads: ReadSet, freshness: Freshness) -> Result<At<View>, EngineError> {
        self.engine.view(reads, freshness).await
    }

    async fn nodes(&self, freshness: Freshness) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, EngineError> {
        self.engine.nodes(freshness).await
    }

    async fn beating(&self, nodes: &[NodeId]) -> Result<At<Vec<Option<BeatingNode>>>, EngineError> {
        self.engine.beating(nodes).await
    }

    async fn due_nodes(&self, silent_since: Timestamp, now: Timestamp) -> Result<Vec<NodeId>, EngineError> {
        self.engine.due_nodes(silent_since, now).await
    }

    async fn files(
        &self,
        after: Option<FileId>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<FileId, FileRow>>, EngineError> {
        self.engine.files(after, limit, freshness).await
    }

    async fn unreferenced_chunks(
        &self,
        cursor: Option<ChunkId>,
        limit: usize,
    ) -> Result<Page<ChunkId, ChunkRow>, EngineError> {
        self.engine.unreferenced_chunks(cursor, limit).await
    }

    async fn scan_chunks(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ChunkScan, EngineError> {
        self.engine.scan_chunks(cursor, limit).await
    }

    async fn tasks(
        &self,
        node: Option<NodeId>,
        after: Option<TaskKey>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<TaskKey, TaskRow>>, EngineError> {
        self.engine.tasks(node, after, limit, freshness).await
    }

    async fn requests(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<String, RequestRow>, EngineError> {
        self.engine.requests(after, limit).await
    }

    async fn releases(&self, limit: usize) -> Result<Vec<RequestId>, EngineError> {
        self.engine.releases(limit).await
    }

    async fn events(
        &self,
        after: AppliedIndex,
        limit: usize,
        within: Duration,
    ) -> Result<Events, EventsError> {
        self.engine.events(after, limit, within).await
    }

    async fn change_cluster(&self, change: ClusterChange, within: Duration) -> Result<String, ClusterError> {
        self.engine.change_cluster(change, within).await
    }

    fn totals(&self) -> At<Totals> {
        self.engine.totals()
    }

    fn registry_version(&self) -> u64 {
        self.engine.registry_version()
    }

    fn status(&self) -> EngineStatus {
        let status = self.engine.status();
        self.metrics.see(&status);
        status
    }

    fn leader_address(&self) -> Option<Arc<str>> {
        self.engine.leader_address()
    }

    async fn storage(&self) -> Result<StorageReport, EngineError> {
        self.engine.storage().await
    }

    async fn dump(&self, take: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<AppliedIndex, EngineError> {
        self.engine.dump(take).await
    }

    fn now(&self) -> Timestamp {
        self.engine.now()
    }
}
