//! A replica in this process: the service over the embedded engine in memory.

pub(crate) mod grpc;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::TokioRuntime;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zephyrfs_coordinator::service::{
    ChunkDescription, FileRegistration, HeartbeatReport, IdSource, Limits, NodeRegistration, Policy,
    ReportedStats, RequestContext, Service,
};
use zephyrfs_core::command::ExpireNodes;
use zephyrfs_core::id::{NodeId, RequestId};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, Engine, Proposal};
use zephyrfs_raft::{Alone, Formation, Memory, Options, Peer, RaftEngine, Threads, Timing};

/// The time at which every test begins.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A replica of the coordinator, without its APIs.
pub(crate) struct Replica {
    pub(crate) engine: Arc<RaftEngine<TokioRuntime, Memory>>,
    pub(crate) service: Arc<Service>,
    pub(crate) directory: TempDir,
    clock: Arc<AtomicU64>,
    stop: CancellationToken,
    flusher: JoinHandle<()>,
}

impl Replica {
    /// Starts a replica that records heartbeats when it stops, or when somebody waits for them, and not
    /// before.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, policy| policy.heartbeat_flush = Duration::from_secs(3_600)).await
    }

    /// Starts a replica with other limits or settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Limits, &mut Policy)) -> Self {
        let clock = Arc::new(AtomicU64::new(START));
        let engine = start_engine(Arc::clone(&clock)).await;
        let directory = TempDir::new().unwrap();
        let (mut limits, mut policy) = (Limits::default(), Policy::default());
        change(&mut limits, &mut policy);
        let service = Arc::new(Service::new(
            Arc::clone(&engine) as Arc<dyn Engine>,
            limits,
            policy,
            directory.path().to_owned(),
            IdSource::random(),
        ));
        let stop = CancellationToken::new();
        let flusher = tokio::spawn({
            let (service, stop) = (Arc::clone(&service), stop.clone());
            async move { service.flush_heartbeats_until(stop).await }
        });
        Self {
            engine,
            service,
            directory,
            clock,
            stop,
            flusher,
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    /// Stops recording heartbeats, in order. The engine goes on.
    pub(crate) async fn stop_recording(&mut self) {
        self.stop.cancel();
        (&mut self.flusher).await.unwrap();
    }

    /// Registers nodes of 1 GB under these ids.
    pub(crate) async fn register_nodes(&self, ids: &[&str]) {
        for id in ids {
            let registered = self
                .service
                .register_node(node(id), RequestContext::default())
                .await;
            registered.unwrap();
        }
    }

    /// Marks a node inactive, as the leader does with a silent one.
    pub(crate) async fn expire(&self, id: &str) {
        self.execute(Command::ExpireNodes(ExpireNodes {
            nodes: vec![NodeId::from(id)],
            silent_since: Timestamp::from_millis(u64::MAX),
        }))
        .await;
    }

    /// Executes a command that no client can ask for.
    pub(crate) async fn execute(&self, command: Command) {
        let proposal = Proposal {
            id: RequestId::from_bytes(rand::random()),
            idempotency: None,
            command,
        };
        self.engine
            .execute(proposal, Duration::from_secs(60))
            .await
            .unwrap();
    }
}

async fn start_engine(clock: Arc<AtomicU64>) -> Arc<RaftEngine<TokioRuntime, Memory>> {
    let options = Options {
        peer: Peer {
            name: "alone".to_owned(),
            address: "127.0.0.1:8092".to_owned(),
            client_address: "127.0.0.1:8080".to_owned(),
        },
        formation: Formation::default(),
        transport: Arc::new(Alone),
        disk: Memory::default(),
        workers: Arc::new(Threads),
        clock: Arc::new(move || Timestamp::from_millis(clock.load(Ordering::Relaxed))),
        cache_size: 16 << 20,
        max_pending_bytes: 64 << 20,
        timing: Timing {
            heartbeat: Duration::from_millis(80),
            election: (Duration::from_millis(250), Duration::from_millis(400)),
            flush: Duration::from_millis(50),
            snapshot_every: 100_000,
            keep_entries: 0,
        },
    };
    let engine = RaftEngine::start(options).await.unwrap();
    engine.recovered().await.unwrap();
    engine
}

/// A node of 1 GB.
pub(crate) fn node(id: &str) -> NodeRegistration {
    NodeRegistration {
        node_id: id.to_owned(),
        addresses: vec![format!("{id}:9000")],
        storage_capacity: 1_000_000_000,
        ..NodeRegistration::default()
    }
}

/// A heartbeat of a node that has been up for so long.
pub(crate) fn beat(id: &str, uptime_seconds: i64) -> HeartbeatReport {
    HeartbeatReport {
        node_id: id.to_owned(),
        stats: Some(ReportedStats {
            storage_used: 1_000,
            storage_available: 999_999_000,
            uptime_seconds,
            ..ReportedStats::default()
        }),
    }
}

/// A file of chunks of 1,000 bytes, named after their hashes.
pub(crate) fn file(id: &str, chunks: &[&str]) -> FileRegistration {
    FileRegistration {
        file_id: id.to_owned(),
        file_name: format!("{id}.bin"),
        file_size: 1_000 * chunks.len() as i64,
        file_hash: format!("hash of {id}"),
        chunks: (0..)
            .zip(chunks)
            .map(|(index, chunk)| ChunkDescription {
                chunk_id: (*chunk).to_owned(),
                hash: format!("hash of {chunk}"),
                size: 1_000,
                index,
            })
            .collect(),
        owner_node_id: String::new(),
    }
}

/// A request with an idempotency key.
pub(crate) fn keyed(key: &str) -> RequestContext {
    RequestContext {
        idempotency_key: Some(key.to_owned()),
        ..RequestContext::default()
    }
}
