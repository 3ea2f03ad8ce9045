//! What the tests build on: one server for all of them, with a database for each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use zephyrfs_core::command::{ChunkPlan, RegisterFile, RegisterNode};
use zephyrfs_core::engine::Freshness;
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId, RequestId};
use zephyrfs_core::units::{ByteSize, Millis};
use zephyrfs_core::{Command, Engine as _, Proposal, ReadSet};

use crate::testing::Server;
use crate::{Observer, Options, PostgresEngine, StartError, Unobserved};

/// No test waits longer for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing in the databases of tests outlives the process, so nothing has to be durable.
pub(super) const QUICK: [&str; 5] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "log_line_prefix=%d:",
];

fn server() -> &'static Mutex<Server> {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Mutex::new(Server::start(&QUICK)))
}

/// Where a new, empty database is found.
pub(super) fn database(name: &str) -> String {
    server().lock().unwrap().url(name)
}

/// What `psql` answers to a statement in a database.
pub(super) fn sql(name: &str, statement: &str) -> String {
    server().lock().unwrap().sql(name, statement).unwrap()
}

/// What the server logged of a database.
pub(super) fn log_of(name: &str) -> Vec<String> {
    let log = server().lock().unwrap().log();
    let prefix = format!("{name}:");
    log.lines()
        .filter(|line| line.starts_with(&prefix))
        .map(str::to_owned)
        .collect()
}

/// Options for an instance.
pub(super) fn options(url: &str, name: &str) -> Options {
    Options {
        url: url.to_owned(),
        password: None,
        name: name.to_owned(),
        client_address: format!("{name}:8080"),
        max_connections: 8,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(10),
        lease: Duration::from_secs(2),
        keep_events: Duration::from_secs(900),
        observer: Arc::new(Unobserved),
    }
}

/// Counts what an engine tells of itself.
#[derive(Debug, Default)]
pub(super) struct Counts {
    conflicts: AtomicU64,
    lost_connections: AtomicU64,
    company: AtomicU64,
    looks: AtomicU64,
    open: AtomicU64,
}

impl Counts {
    /// How often something was tried again since others were first.
    pub(super) fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::SeqCst)
    }

    /// How often something was tried again since its connection was lost.
    pub(super) fn lost_connections(&self) -> u64 {
        self.lost_connections.load(Ordering::SeqCst)
    }

    /// How often something was tried by itself since one of those it shared a transaction with failed.
    pub(super) fn company(&self) -> u64 {
        self.company.load(Ordering::SeqCst)
    }

    /// How many connections for requests there were at the last look.
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    /// How often the instance looked at the database, in vain or not.
    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }
}

impl Observer for Counts {
    fn ended(&self, _operation: &'static str, _took: Duration, _is_ok: bool) {}

    fn retried(&self, operation: &'static str, cause: &'static str) {
        let count = match cause {
            "conflict" => &self.conflicts,
            "connection" => &self.lost_connections,
            "company" => &self.company,
            other => panic!("{operation} was tried again for {other}"),
        };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn connections(&self, open: u32, _idle: u32) {
        self.open.store(open.into(), Ordering::SeqCst);
        self.looks.fetch_add(1, Ordering::SeqCst);
    }
}

/// Options for an instance that is counted.
pub(super) fn counted(url: &str, name: &str) -> (Options, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let mut own = options(url, name);
    own.observer = Arc::clone(&counts) as Arc<dyn Observer>;
    (own, counts)
}

/// Starts an instance, and waits until the database answered.
pub(super) async fn start(url: &str, name: &str) -> Arc<PostgresEngine> {
    start_with(options(url, name)).await
}

/// Why an instance that is started there ends instead of waiting.
pub(super) async fn refused(url: &str) -> String {
    let engine = PostgresEngine::start(options(url, "one")).unwrap();
    let refused = tokio::time::timeout(PATIENCE, engine.recovered()).await.unwrap();
    engine.stop().await;
    match refused {
        Err(StartError::Unusable(reason)) => reason,
        other => panic!("it was to be refused: {other:?}"),
    }
}

pub(super) async fn start_with(options: Options) -> Arc<PostgresEngine> {
    let engine = PostgresEngine::start(options).unwrap();
    tokio::time::timeout(PATIENCE, engine.recovered())
        .await
        .unwrap()
        .unwrap();
    engine
}

/// Waits until something holds.
pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until one of the instances leads, and answers which.
pub(super) async fn leader<'e>(engines: &[&'e Arc<PostgresEngine>]) -> &'e Arc<PostgresEngine> {
    let leads = |engine: &&&Arc<PostgresEngine>| engine.status().leads;
    eventually("an instance leads", || {
        engines.iter().any(|engine| leads(&engine))
    })
    .await;
    engines.iter().find(leads).unwrap()
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

/// Registers the nodes that [`file`] puts chunks on.
pub(super) async fn register_nodes(engine: &PostgresEngine) {
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
}

/// Whether a file is registered.
pub(super) async fn has(engine: &PostgresEngine, id: &str) -> bool {
    let reads = ReadSet {
        files: vec![FileId::from(id)],
        ..ReadSet::default()
    };
    let view = engine.view(reads, Freshness::default()).await.unwrap();
    view.value.files.contains_key(&FileId::from(id))
}

/// Registers a file of so many chunks, each on three nodes.
pub(super) fn file(id: &str, chunks: u32) -> Proposal {
    let plan = |index| ChunkPlan {
        id: ChunkId::from(format!("{id}-{index}")),
        hash: ContentHash::from(format!("hash of {id}-{index}").as_str()),
        size: ByteSize::new(4 << 20),
        index,
        targets: vec![0, 1, 2],
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
