//! What the tests build on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::TokioRuntime;
use zephyrfs_core::Command;
use zephyrfs_core::Proposal;
use zephyrfs_core::command::{ChunkPlan, RegisterFile, RegisterNode};
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId, RequestId};
use zephyrfs_core::units::{ByteSize, Millis, Timestamp};

use crate::disk::Disk;
use crate::engine::{Formation, Options, RaftEngine, StartError, Timing};
use crate::peers::Alone;
use crate::types::Peer;
use crate::workers::Threads;

/// No test waits longer for a write.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) type TestEngine<D> = Arc<RaftEngine<TokioRuntime, D>>;

/// Starts an engine whose clock stands still, and waits until it is ready.
pub(super) async fn start<D: Disk>(disk: D) -> TestEngine<D> {
    start_with(disk, |_| {}).await
}

/// Starts an engine with other timing.
pub(super) async fn start_with<D: Disk>(disk: D, change: impl FnOnce(&mut Timing)) -> TestEngine<D> {
    let mut timing = timing();
    change(&mut timing);
    let engine = RaftEngine::start(options(disk, timing)).await.unwrap();
    engine.recovered().await.unwrap();
    engine
}

/// Starts an engine that may refuse to.
pub(super) async fn try_start<D: Disk>(disk: D) -> Result<TestEngine<D>, StartError> {
    RaftEngine::start(options(disk, timing())).await
}

pub(super) fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(80),
        election: (Duration::from_millis(250), Duration::from_millis(400)),
        flush: Duration::from_millis(50),
        snapshot_every: 100_000,
        keep_entries: 0,
    }
}

pub(super) fn options<D>(disk: D, timing: Timing) -> Options<D> {
    Options {
        peer: Peer {
            name: "alone".to_owned(),
            address: "127.0.0.1:8092".to_owned(),
            client_address: "127.0.0.1:8080".to_owned(),
        },
        formation: Formation::default(),
        transport: Arc::new(Alone),
        disk,
        workers: Arc::new(Threads),
        clock: Arc::new(|| Timestamp::from_millis(1_700_000_000_000)),
        cache_size: 16 << 20,
        max_pending_bytes: 64 << 20,
        timing,
    }
}

/// A proposal with an id of its own.
pub(super) fn proposal(command: Command) -> Proposal {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    Proposal {
        id: RequestId::from_bytes(number.to_be_bytes()),
        idempotency: None,
        command,
    }
}

/// Registers a node.
pub(super) fn node(id: &str) -> Proposal {
    proposal(Command::RegisterNode(RegisterNode {
        inactive_after: Millis::from_seconds(60),
        node: NodeId::from(id),
        addresses: vec![format!("{id}:7000")],
        capacity: ByteSize::new(1 << 40),
        capabilities: [("zone".to_owned(), "z1".to_owned())].into(),
        peers: Vec::new(),
    }))
}

/// Registers a file of so many chunks, each on three nodes.
pub(super) fn file(id: &str, chunks: u32) -> Proposal {
    let plan = |index| {
        let id = blake3::hash(format!("{id}-{index}").as_bytes()).to_hex();
        ChunkPlan {
            id: ChunkId::from(id.as_str()),
            hash: ContentHash::from(id.as_str()),
            size: ByteSize::new(4 << 20),
            index,
            targets: vec![0, 1, 2],
        }
    };
    proposal(Command::RegisterFile(RegisterFile {
        file: FileId::from(id),
        name: format!("{id}.bin"),
        size: ByteSize::new(u64::from(chunks) << 22),
        hash: ContentHash::from(id),
        owner: None,
        chunks: (0..chunks).map(plan).collect(),
        nodes: ["n1", "n2", "n3"].into_iter().map(NodeId::from).collect(),
        wanted: 3,
        max_replicas: 10,
        task_time: Millis::new(30_000),
    }))
}
