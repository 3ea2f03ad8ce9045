//! Reading the rows, as fresh as asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::command::ExpireNodes;
use zephyrfs_core::engine::{
    At, BeatingNode, ChunkScan, ClusterChange, ClusterError, Consistency, Engine, EngineError, EngineStatus,
    Events, EventsError, Freshness, NodeWithBeat, Page, ScanCursor, StorageReport, TaskKey,
};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{ChunkRow, FileRow, RequestRow, Row, TaskRow};
use zephyrfs_core::store::RowStore;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Proposal, ReadSet, Response, Totals, View};

use super::RaftEngine;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::machine::WatchError;
use crate::state::State;

/// This replica's own state, whatever it is.
const LOCAL: Freshness = Freshness {
    consistency: Consistency::Local,
    at_least: None,
    max_staleness: None,
};

/// Nodes that are looked at under one lock: less than a millisecond of work.
const NODES_AT_ONCE: usize = 10_000;

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    fn read<T>(&self, read: impl FnOnce(&State) -> Result<T, StoreError>) -> Result<At<T>, EngineError> {
        let state = self.store.read();
        let value = read(&state).map_err(|error| store_error(&error))?;
        Ok(At {
            index: applied(&state),
            value,
        })
    }
}

fn applied(state: &State) -> AppliedIndex {
    AppliedIndex::new(state.header().applied.map_or(0, |applied| applied.index))
}

fn store_error(error: &StoreError) -> EngineError {
    EngineError::Failed {
        reason: error.to_string(),
    }
}

fn events_error(error: WatchError) -> EventsError {
    match error {
        WatchError::TooOld { oldest } => EventsError::TooOld { oldest },
        WatchError::Stopped(error) => EventsError::Engine(EngineError::Unavailable {
            reason: error.to_string(),
        }),
    }
}

/// Cuts a page that was read with one row too many, to know whether there are more.
fn cut<K: Clone, V>(mut items: Vec<(K, V)>, limit: usize) -> Page<K, V> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(key, _)| key.clone());
    Page { items, next }
}

#[async_trait]
impl<R: AsyncRuntime, D: Disk> Engine for RaftEngine<R, D> {
    async fn execute(&self, proposal: Proposal, within: Duration) -> Result<At<Response>, EngineError> {
        self.propose(proposal, within).await
    }

    async fn view(&self, reads: ReadSet, freshness: Freshness) -> Result<At<View>, EngineError> {
        self.freshen(freshness).await?;
        self.read(|state| state.load(&reads))
    }

    async fn nodes(&self, freshness: Freshness) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, EngineError> {
        self.freshen(freshness).await?;
        self.read(|state| {
            let nodes = state.registry().iter();
            Ok(nodes
                .map(|(id, known)| (id.clone(), (Arc::clone(&known.row), known.beat)))
                .collect())
        })
    }

    async fn beating(&self, nodes: &[NodeId]) -> Result<At<Vec<Option<BeatingNode>>>, EngineError> {
        self.read(|state| {
            let registry = state.registry();
            Ok(nodes.iter().map(|id| registry.beating(id)).collect())
        })
    }

    async fn due_nodes(&self, silent_since: Timestamp, now: Timestamp) -> Result<Vec<NodeId>, EngineError> {
        let mut due = Vec::new();
        let mut after: Option<NodeId> = None;
        loop {
            // A part at a time: what is applied meanwhile does not wait for a look at all of them.
            let part = self.read(|state| {
                let mut last = None;
                for (id, known) in state.registry().after(after.as_ref()).take(NODES_AT_ONCE) {
                    if ExpireNodes::is_due(&known.row, known.beat.as_ref(), silent_since, now) {
                        due.push(id.clone());
                    }
                    last = Some(id);
                }
                Ok(last.cloned())
            })?;
            match part.value {
                Some(last) => after = Some(last),
                None => return Ok(due),
            }
        }
    }

    async fn files(
        &self,
        after: Option<FileId>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<FileId, FileRow>>, EngineError> {
        self.freshen(freshness).await?;
        self.read(|state| {
            let (items, more) = state.pages().files_after(after.as_ref(), limit)?;
            let next = items.last().filter(|_| more).map(|(id, _)| id.clone());
            Ok(Page { items, next })
        })
    }

    async fn unreferenced_chunks(
        &self,
        cursor: Option<ChunkId>,
        limit: usize,
    ) -> Result<Page<ChunkId, ChunkRow>, EngineError> {
        let page = self.read(|state| {
            state
                .pages()
                .orphans_after(cursor.as_ref(), limit.saturating_add(1))
        })?;
        Ok(cut(page.value, limit))
    }

    async fn scan_chunks(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ChunkScan, EngineError> {
        let scan = self.read(|state| state.pages().chunks_after(cursor.as_ref(), limit))?;
        Ok(scan.value)
    }

    async fn tasks(
        &self,
        node: Option<NodeId>,
        after: Option<TaskKey>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<TaskKey, TaskRow>>, EngineError> {
        self.freshen(freshness).await?;
        let At { index, value } = self.read(|state| {
            let limit = limit.saturating_add(1);
            state.pages().tasks_after(node.as_ref(), after.as_ref(), limit)
        })?;
        let value = cut(value, limit);
        Ok(At { index, value })
    }

    async fn requests(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<String, RequestRow>, EngineError> {
        let page = self.read(|state| {
            state
                .pages()
                .requests_after(after.as_deref(), limit.saturating_add(1))
        })?;
        Ok(cut(page.value, limit))
    }

    async fn releases(&self, limit: usize) -> Result<Vec<RequestId>, EngineError> {
        Ok(self.read(|state| state.pages().releases(limit))?.value)
    }

    async fn events(
        &self,
        after: AppliedIndex,
        limit: usize,
        within: Duration,
    ) -> Result<Events, EventsError> {
        // A replica that takes no part yet has nothing to tell of, however long anybody waits.
        self.freshen(LOCAL).await?;
        let waited = R::timeout(within, self.store.events(after, limit)).await;
        let events = waited.unwrap_or_else(|_| self.store.events_now(after, limit));
        events.map_err(events_error)
    }

    fn totals(&self) -> At<Totals> {
        let state = self.store.read();
        At {
            index: applied(&state),
            value: state.header().totals,
        }
    }

    fn registry_version(&self) -> u64 {
        self.store.read().registry().version()
    }

    fn status(&self) -> EngineStatus {
        self.engine_status()
    }

    fn leader_address(&self) -> Option<Arc<str>> {
        let leader = self.leader()?;
        // One that lost its followers leads nobody.
        let leads = leader.id != self.raft_id || self.is_followed();
        (leads && !leader.client_address.is_empty()).then(|| leader.client_address.into())
    }

    async fn change_cluster(&self, change: ClusterChange, within: Duration) -> Result<String, ClusterError> {
        self.change(change, within).await
    }

    async fn storage(&self) -> Result<StorageReport, EngineError> {
        let rows = self.read(State::rows)?.value;
        Ok(StorageReport {
            bytes_on_disk: self.bytes_on_disk(),
            rows,
        })
    }

    async fn dump(&self, take: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<AppliedIndex, EngineError> {
        self.store.flush().await.map_err(|error| store_error(&error))?;
        let (header, mut batches) = self.store.dump().map_err(|error| store_error(&error))?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| store_error(&error))?;
            if batch.is_empty() || !batch.into_iter().all(&mut *take) {
                return Ok(AppliedIndex::new(
                    header.applied.map_or(0, |applied| applied.index),
                ));
            }
        }
        Err(EngineError::Failed {
            reason: "the rows ended before the end of the state".to_owned(),
        })
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
