//! The typed configuration: one struct for each section, one field for each row of the table of settings (a
//! test keeps the two in step). Values are valid and fit together: nobody needs to check them again.

use std::path::{Component, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::host_port::HostPort;
use super::secret::Secret;

/// The whole configuration of a replica.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Directory for everything this replica stores.
    pub(crate) data_path: PathBuf,
    /// Where the state is kept.
    pub(crate) database: Database,
    /// The gRPC API.
    pub(crate) grpc: Grpc,
    /// The REST API.
    pub(crate) http: Http,
    /// Placement, heartbeats and repair.
    pub(crate) coordinator: Coordinator,
    /// This replica and its peers.
    pub(crate) cluster: Cluster,
    /// Consensus between replicas.
    pub(crate) raft: Raft,
    /// Health checks and metrics.
    pub(crate) health: Health,
    /// Logging.
    pub(crate) log: Log,
    /// Bounds of what clients may send.
    pub(crate) limits: Limits,
}

impl Config {
    /// Whether this replica listens for others: instances over PostgreSQL meet in the database.
    pub(crate) fn has_peers(&self) -> bool {
        self.database.engine == DatabaseEngine::Redb && !self.cluster.is_alone()
    }

    /// The path of the embedded database: below the data directory unless configured as absolute.
    pub(crate) fn database_path(&self) -> PathBuf {
        let below = self
            .database
            .path
            .components()
            .filter(|part| *part != Component::CurDir);
        self.data_path.join(below.collect::<PathBuf>())
    }
}

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// The engine.
    #[serde(rename = "type")]
    pub(crate) engine: DatabaseEngine,
    /// The embedded database as configured; see `Config::database_path`.
    pub(crate) path: PathBuf,
    /// The PostgreSQL URL; there is one whenever the engine is PostgreSQL.
    pub(crate) url: Option<Secret>,
    /// The password for PostgreSQL, if it is not in the URL.
    pub(crate) password: Option<Secret>,
    /// The file that holds it; never set together with the password.
    pub(crate) password_file: Option<PathBuf>,
    /// Connections to PostgreSQL for requests.
    pub(crate) max_connections: u32,
    /// How long a request may wait for one of them.
    pub(crate) acquire_timeout: Duration,
    /// How long PostgreSQL may take for a statement.
    pub(crate) statement_timeout: Duration,
    /// How long the instance that leads need not be heard.
    pub(crate) lease: Duration,
    /// Bytes of memory for the embedded database's cache.
    pub(crate) cache_size: usize,
}

/// What keeps the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DatabaseEngine {
    /// The embedded database, replicated with Raft.
    Redb,
    /// A PostgreSQL server.
    Postgres,
}

/// The gRPC API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grpc {
    /// Port; 0 picks a free one.
    pub(crate) port: u16,
    /// Largest message, in bytes.
    pub(crate) max_message_size: usize,
    /// Whether reflection is served.
    pub(crate) enable_reflection: bool,
}

/// The REST API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    /// Whether it is served at all.
    pub(crate) enabled: bool,
    /// Port; 0 picks a free one.
    pub(crate) port: u16,
    /// Origins whose pages may call it: `["*"]` is any; otherwise a list without `*`, empty for none.
    pub(crate) cors_origins: Vec<String>,
}

/// Placement, heartbeats and repair.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coordinator {
    /// Replicas wanted for each chunk; at least 1, at most `max_nodes_per_chunk`.
    pub(crate) replication_factor: u32,
    /// Most replicas of a chunk.
    pub(crate) max_nodes_per_chunk: u32,
    /// How often nodes are told to beat.
    pub(crate) heartbeat_interval: Duration,
    /// How often received heartbeats are proposed as one command.
    pub(crate) heartbeat_flush: Duration,
    /// Silence after which a node is inactive; more than `heartbeat_interval`.
    pub(crate) node_inactive_after: Duration,
    /// How long a node has to finish or renew a task.
    pub(crate) node_timeout: Duration,
    /// How often housekeeping runs.
    pub(crate) cleanup_interval: Duration,
    /// Whether the replicas of a chunk are spread over failure domains.
    pub(crate) geographic_spread: bool,
    /// Wait before repair.
    pub(crate) repair_delay: Duration,
    /// Wait before repair with at most half the replicas left.
    pub(crate) repair_delay_few: Duration,
    /// Wait before repair with one replica left.
    pub(crate) repair_delay_last: Duration,
    /// How long an unreferenced chunk is kept.
    pub(crate) gc_grace: Duration,
    /// Share of the active nodes, from 0 to 1, whose sudden silence stops repair.
    pub(crate) brake_ratio: f64,
    /// How long copies beyond those wanted are kept.
    pub(crate) trim_after: Duration,
    /// How long an unknown chunk is kept that a node reports.
    pub(crate) quarantine: Duration,
    /// Bytes per second of copying, all nodes together; 0 is no limit.
    pub(crate) repair_bandwidth: u64,
    /// Bytes per second of copying into and out of each node; 0 is no limit.
    pub(crate) repair_node_bandwidth: u64,
    /// Whether copies move from full nodes to empty ones.
    pub(crate) rebalance: bool,
}

/// This replica and its peers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// Stable name of this replica; fit to be a host in an address.
    pub(crate) name: String,
    /// How many replicas form a new cluster.
    pub(crate) replicas: u32,
    /// Where peers may be found; this replica may be among them. With one replica it may be empty.
    pub(crate) peers: Vec<HostPort>,
    /// Port for Raft and forwarding; 0 picks a free one.
    pub(crate) peer_port: u16,
    /// Where peers reach this replica, if configured; see `Cluster::advertised`.
    pub(crate) advertise: Option<HostPort>,
}

impl Cluster {
    /// Whether this replica is meant to be the only one.
    pub(crate) fn is_alone(&self) -> bool {
        self.replicas == 1 && self.peers.is_empty()
    }

    /// Where peers reach this replica, which listens for them on `bound_port` (the configured port may be 0).
    pub(crate) fn advertised(&self, bound_port: u16) -> String {
        match &self.advertise {
            Some(address) => address.to_string(),
            None if self.is_alone() => format!("127.0.0.1:{bound_port}"),
            None => format!("{}:{bound_port}", self.name),
        }
    }
}

/// Consensus between replicas.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raft {
    /// Log entries between two snapshots.
    pub(crate) snapshot_every: u64,
    /// Log entries kept behind a snapshot.
    pub(crate) keep_entries: u64,
    /// How often the leader is heard; below `election_timeout_min`.
    pub(crate) heartbeat_interval: Duration,
    /// Least silence of the leader before an election; below `election_timeout_max`.
    pub(crate) election_timeout_min: Duration,
    /// Most silence of the leader before an election.
    pub(crate) election_timeout_max: Duration,
}

/// Health checks and metrics.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// How often checks run.
    pub(crate) check_interval: Duration,
    /// Whether health and metrics are served.
    pub(crate) metrics_enabled: bool,
    /// Port; 0 picks a free one.
    pub(crate) metrics_port: u16,
    /// Bytes of memory of which 80 % raises a warning; 0 takes the container's limit.
    pub(crate) memory_limit: u64,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// The least level that is logged.
    pub(crate) level: LogLevel,
    /// The form of the lines.
    pub(crate) format: LogFormat,
}

/// Levels of log lines, the chattiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// What helps to find a fault.
    Debug,
    /// What happens.
    Info,
    /// What may need attention.
    Warn,
    /// What needs a human.
    Error,
}

/// Forms of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// Readable lines.
    Text,
}

/// Bounds of what clients may send. Lengths and sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Longest id of a node, file or chunk.
    pub(crate) max_id_length: usize,
    /// Longest file name.
    pub(crate) max_name_length: usize,
    /// Longest address of a node.
    pub(crate) max_address_length: usize,
    /// Most addresses of a node.
    pub(crate) max_addresses_per_node: usize,
    /// Most capabilities of a node.
    pub(crate) max_capabilities_per_node: usize,
    /// Longest name and longest value of a capability.
    pub(crate) max_capability_length: usize,
    /// Most chunks of a file.
    pub(crate) max_chunks_per_file: usize,
    /// Largest chunk.
    pub(crate) max_chunk_size: u64,
    /// Largest file.
    pub(crate) max_file_size: u64,
    /// Most node ids in one request.
    pub(crate) max_node_ids_per_request: usize,
    /// Largest body of a REST request.
    pub(crate) max_body_size: usize,
    /// Most connections at a time of each listener.
    pub(crate) max_connections: usize,
    /// Deadline of a request that brings none.
    pub(crate) request_timeout: Duration,
    /// How long a client may take to send the head of a request.
    pub(crate) header_timeout: Duration,
    /// How long an idempotency key and its answer are kept.
    pub(crate) idempotency_ttl: Duration,
    /// Most writes that wait for an answer at a time.
    pub(crate) max_pending_writes: usize,
    /// Most watchers at a time.
    pub(crate) max_watchers: usize,
}
