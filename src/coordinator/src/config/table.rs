//! The table of all settings. Known keys, defaults, checks, environment, flags, the printed reference and the
//! printed configuration all come from here; a new setting is one row here and one field in `sections`.

use std::time::Duration;

use super::kind::Kind;
use super::setting::Setting;

/// Every setting, section by section.
#[rustfmt::skip]
pub(crate) static SETTINGS: &[Setting] = &[
    Setting::new("data_path", "./data", Kind::Path).env("DATA_PATH").flag("data-path")
        .means("directory for everything this replica stores"),

    Setting::new("database.type", "redb", DATABASES)
        .means("`redb` (embedded; `bbolt` means the same) or `postgres`; DATABASE_URL selects `postgres` when this is set nowhere"),
    Setting::new("database.path", "./coordinator.db", Kind::Path)
        .means("embedded database; below `data_path` unless absolute"),
    Setting::optional("database.url", Kind::DatabaseUrl).env("DATABASE_URL")
        .means("PostgreSQL URL; never shown"),
    Setting::optional("database.password", Kind::Password).env("DATABASE_PASSWORD")
        .means("password for PostgreSQL, before one in the URL; never shown"),
    Setting::optional("database.password_file", Kind::Path).env("DATABASE_PASSWORD_FILE")
        .means("file that holds the password for PostgreSQL, such as a mounted secret"),
    Setting::new("database.max_connections", "16", count(1, 10_000))
        .means("connections to PostgreSQL for requests, for each instance; one more serves the instance itself"),
    Setting::new("database.acquire_timeout", "5s", time(ms(10), HOUR))
        .means("how long a request may wait for a free connection to PostgreSQL"),
    Setting::new("database.statement_timeout", "10s", time(ms(10), HOUR))
        .means("PostgreSQL gives up a statement that takes longer"),
    Setting::new("database.lease", "5s", time(ms(500), MINUTE))
        .means("an instance that leads over PostgreSQL is replaced so long after it was last heard"),
    Setting::new("database.cache_size", "67108864", bytes(MIB, TIB))
        .means("memory for the embedded database's cache, in bytes"),

    Setting::new("grpc.port", "8080", Kind::Port).env("GRPC_PORT").flag("grpc-port")
        .means("port of the gRPC API; 0 picks a free one, for tests"),
    Setting::new("grpc.max_message_size", "4194304", bytes(KIB, GIB))
        .means("largest gRPC message, in bytes"),
    Setting::new("grpc.enable_reflection", "false", Kind::Switch)
        .means("serve gRPC reflection, for tools such as grpcurl"),

    Setting::new("http.enabled", "true", Kind::Switch)
        .means("serve the REST API"),
    Setting::new("http.port", "8090", Kind::Port).env("HTTP_PORT").flag("http-port")
        .means("port of the REST API; 0 picks a free one, for tests"),
    Setting::new("http.cors_origins", "*", Kind::Origins)
        .means("origins whose web pages may call the REST API; `*` is any, an empty list is none"),

    Setting::new("coordinator.replication_factor", "3", count(1, 100))
        .means("replicas wanted for each chunk"),
    Setting::new("coordinator.max_nodes_per_chunk", "10", count(1, 100))
        .means("upper bound of replicas of a chunk"),
    Setting::new("coordinator.heartbeat_interval", "10s", time(ms(10), DAY))
        .means("how often nodes are expected to send a heartbeat; their own settings say how often they do"),
    Setting::new("coordinator.heartbeat_flush", "1s", time(ms(1), MINUTE))
        .means("how often received heartbeats are written, all as one command"),
    Setting::new("coordinator.node_inactive_after", "60s", time(ms(10), MONTH))
        .means("silence after which a node is inactive"),
    Setting::new("coordinator.node_timeout", "30s", time(ms(10), DAY))
        .means("how long a node has to finish or renew a task handed to it"),
    Setting::new("coordinator.cleanup_interval", "5m", time(ms(10), DAY))
        .means("how often housekeeping runs"),
    Setting::new("coordinator.geographic_spread", "true", Kind::Switch)
        .means("spread the replicas of a chunk over failure domains"),
    Setting::new("coordinator.repair_delay", "15m", time(ms(0), MONTH))
        .means("wait before a chunk with lost replicas is repaired"),
    Setting::new("coordinator.repair_delay_few", "3m", time(ms(0), MONTH))
        .means("the same when at most half the replicas are left"),
    Setting::new("coordinator.repair_delay_last", "1m", time(ms(0), MONTH))
        .means("the same when one replica is left"),
    Setting::new("coordinator.gc_grace", "1h", time(ms(0), MONTH))
        .means("how long an unreferenced chunk is kept before nodes are told to delete it"),
    Setting::new("coordinator.brake_ratio", "0.3", Kind::Ratio { min: 0.01, max: 1.0 })
        .means("share of the active nodes whose sudden silence stops repair"),
    Setting::new("coordinator.trim_after", "1h", time(ms(0), MONTH))
        .means("how long a chunk keeps copies that it has too many, as when a lost node came back"),
    Setting::new("coordinator.quarantine", "24h", time(ms(0), MONTH))
        .means("how long a chunk that a node reports and nobody knows is kept before it counts as unreferenced"),
    Setting::new("coordinator.repair_bandwidth", "0", bytes(0, u64::MAX >> 1))
        .means("bytes per second that copying may take, all nodes together; 0 is no limit"),
    Setting::new("coordinator.repair_node_bandwidth", "67108864", bytes(0, u64::MAX >> 1))
        .means("the same into each node, and out of each"),
    Setting::new("coordinator.rebalance", "true", Kind::Switch)
        .means("move copies from full nodes to empty ones while nothing is lacking"),

    Setting::optional("cluster.name", Kind::Name).derived("host name").env("REPLICA_NAME")
        .means("stable name of this replica"),
    Setting::new("cluster.replicas", "1", count(1, 15)).env("CLUSTER_REPLICAS")
        .means("how many replicas form a new cluster"),
    Setting::optional("cluster.peers", Kind::Addresses).env("CLUSTER_PEERS")
        .means("`host:port` of the peers' peer ports, between commas, or one DNS name with port that resolves to all; this replica may be among them"),
    Setting::new("cluster.peer_port", "8092", Kind::Port).env("PEER_PORT")
        .means("port for Raft and forwarding between replicas; 0 picks a free one, for tests"),
    Setting::optional("cluster.advertise", Kind::Address).derived("name:peer_port; 127.0.0.1:peer_port when alone").env("PEER_ADVERTISE")
        .means("address at which peers reach this replica"),

    Setting::new("raft.snapshot_every", "50000", count(1, BILLION))
        .means("log entries between two snapshots"),
    Setting::new("raft.keep_entries", "100000", count(0, BILLION))
        .means("log entries kept behind a snapshot, 2 GiB of them at most, so that a replica that lags needs none"),
    Setting::new("raft.heartbeat_interval", "60ms", time(ms(1), MINUTE))
        .means("how often the leader tells the other replicas that it leads"),
    Setting::new("raft.election_timeout_min", "180ms", time(ms(2), MINUTE))
        .means("least silence of the leader after which a replica stands for election"),
    Setting::new("raft.election_timeout_max", "280ms", time(ms(3), MINUTE))
        .means("most silence of the leader after which a replica stands for election"),

    Setting::new("health.check_interval", "30s", time(ms(10), DAY))
        .means("how often memory is compared with its limit"),
    Setting::new("health.metrics_enabled", "true", Kind::Switch)
        .means("serve health and metrics"),
    Setting::new("health.metrics_port", "8091", Kind::Port).env("METRICS_PORT").flag("metrics-port")
        .means("port of health and metrics; 0 picks a free one, for tests"),
    Setting::new("health.memory_limit", "0", bytes(0, EIB))
        .means("memory of which 80 % raises a warning, in bytes; 0 takes the container's limit"),

    Setting::new("log.level", "info", LEVELS).env("LOG_LEVEL").flag("log-level")
        .means("least level that is logged: `debug`, `info`, `warn` or `error`"),
    Setting::new("log.format", "auto", FORMATS).env("LOG_FORMAT").flag("log-format")
        .means("`json`, `text`, or `auto`: text on a terminal, JSON elsewhere"),

    Setting::new("limits.max_id_length", "256", count(32, 4096))
        .means("longest id of a node, file or chunk, in bytes"),
    Setting::new("limits.max_name_length", "4096", count(1, 65_536))
        .means("longest file name, in bytes"),
    Setting::new("limits.max_address_length", "256", count(16, 4096))
        .means("longest address of a node, in bytes"),
    Setting::new("limits.max_addresses_per_node", "16", count(1, 1024))
        .means("most addresses of a node"),
    Setting::new("limits.max_capabilities_per_node", "64", count(0, 1024))
        .means("most capabilities of a node"),
    Setting::new("limits.max_capability_length", "256", count(1, 65_536))
        .means("longest name and longest value of a capability, in bytes"),
    Setting::new("limits.max_chunks_per_file", "32768", count(1, 1_048_576))
        .means("most chunks of a file"),
    Setting::new("limits.max_chunk_size", "1099511627776", bytes(1, EIB))
        .means("largest chunk, in bytes"),
    Setting::new("limits.max_file_size", "1152921504606846976", bytes(1, EIB))
        .means("largest file, in bytes"),
    Setting::new("limits.max_node_ids_per_request", "1000", count(1, 100_000))
        .means("most node ids in one request"),
    Setting::new("limits.max_body_size", "4194304", bytes(KIB, GIB))
        .means("largest body of a REST request, in bytes"),
    Setting::new("limits.max_connections", "4096", count(1, 1_048_576))
        .means("most connections at a time of each listener"),
    Setting::new("limits.request_timeout", "30s", time(ms(10), DAY))
        .means("deadline of a REST request, and of a gRPC request that brings none"),
    Setting::new("limits.header_timeout", "10s", time(ms(10), DAY))
        .means("how long a client may take to send the head of a request"),
    Setting::new("limits.idempotency_ttl", "24h", time(ms(1000), MONTH))
        .means("how long an idempotency key and its answer are kept"),
    Setting::new("limits.max_pending_writes", "4096", count(1, 1_048_576))
        .means("most writes that wait for an answer at a time"),
    Setting::new("limits.max_watchers", "256", count(0, 65_536)).means("most watchers at a time"),
];

const DATABASES: Kind = Kind::Choice(&[("redb", "redb"), ("bbolt", "redb"), ("postgres", "postgres")]);
const LEVELS: Kind = Kind::Choice(&[
    ("debug", "debug"),
    ("info", "info"),
    ("warn", "warn"),
    ("error", "error"),
]);
const FORMATS: Kind = Kind::Choice(&[("auto", "auto"), ("json", "json"), ("text", "text")]);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
/// Sizes travel as signed 64-bit numbers; sums of a few of this size still fit.
const EIB: u64 = 1 << 60;
const BILLION: u64 = 1_000_000_000;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(30 * 24);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn time(min: Duration, max: Duration) -> Kind {
    Kind::Time { min, max }
}

const fn bytes(min: u64, max: u64) -> Kind {
    Kind::Bytes { min, max }
}

const fn count(min: u64, max: u64) -> Kind {
    Kind::Count { min, max }
}

/// The setting with this dotted key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The names of the sections, in the order of the table.
pub(crate) fn sections() -> Vec<&'static str> {
    let mut names: Vec<&str> = SETTINGS
        .iter()
        .filter_map(|setting| setting.key.split_once('.'))
        .map(|(section, _)| section)
        .collect();
    names.dedup();
    names
}
