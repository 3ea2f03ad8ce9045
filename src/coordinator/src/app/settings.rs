//! From the configuration to what each part of the program wants to know.

use std::sync::Arc;
use std::time::Duration;

use zephyrfs_core::repair::Rates;
use zephyrfs_raft::{
    Alone, Clock, Files, Formation, Grpc, Options, Peer, StartError, Threads, Timing, Transport,
};

use super::error::AppError;
use crate::api::{grpc, rest};
use crate::config::Config;
use crate::http_server::ServerOptions;
use crate::metrics::Metrics;
use crate::service::{Limits, Policy};

/// Applied rows are written to disk so often: what a crash takes is replayed from the log.
const STATE_FLUSH: Duration = Duration::from_secs(1);

/// How long the servers have to finish their requests after a signal. Well below the ten seconds after which a container
/// is killed by default: closing the databases takes time too.
pub(super) const DRAIN: Duration = Duration::from_secs(6);

/// The same for probes, which are answered at once; it comes on top.
const PROBES_DRAIN: Duration = Duration::from_secs(1);

/// Bytes of commands that may be on their way through the log at once.
const MAX_PENDING_BYTES: usize = 64 << 20;

/// The ports that were bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) grpc: Option<u16>,
    pub(super) peers: Option<u16>,
}

/// Where clients reach the gRPC API: at the host where peers reach this replica.
fn client_address(peer_address: &str, grpc_port: Option<u16>) -> String {
    match (peer_address.rsplit_once(':'), grpc_port) {
        (Some((host, _)), Some(port)) => format!("{host}:{port}"),
        (None, _) | (_, None) => String::new(),
    }
}

/// The engine's options.
pub(super) fn engine(config: &Config, clock: Clock, ports: Ports) -> Result<Options<Files>, AppError> {
    let address = config
        .cluster
        .advertised(ports.peers.unwrap_or(config.cluster.peer_port));
    let client_address = client_address(&address, ports.grpc);
    let transport: Arc<dyn Transport> = if config.cluster.is_alone() {
        Arc::new(Alone)
    } else {
        Arc::new(Grpc)
    };
    let disk = Files::new(config.database_path()).map_err(StartError::from)?;
    Ok(Options {
        peer: Peer {
            name: config.cluster.name.clone(),
            address,
            client_address,
        },
        formation: Formation {
            peers: config.cluster.peers.iter().map(ToString::to_string).collect(),
            expected: usize::try_from(config.cluster.replicas).unwrap_or(usize::MAX),
        },
        transport,
        disk,
        workers: Arc::new(Threads),
        clock,
        cache_size: config.database.cache_size,
        max_pending_bytes: MAX_PENDING_BYTES,
        timing: Timing {
            heartbeat: config.raft.heartbeat_interval,
            election: (config.raft.election_timeout_min, config.raft.election_timeout_max),
            flush: STATE_FLUSH,
            snapshot_every: config.raft.snapshot_every,
            // A replica that is alone has nobody who lags.
            keep_entries: if config.cluster.is_alone() {
                0
            } else {
                config.raft.keep_entries
            },
        },
    })
}

/// What changed is kept for so long, over PostgreSQL: who watches may be away for that time.
const KEEP_EVENTS: Duration = Duration::from_secs(900);

/// The options of the engine over PostgreSQL.
pub(super) fn postgres(
    config: &Config,
    ports: Ports,
    metrics: &Metrics,
) -> Result<zephyrfs_postgres::Options, AppError> {
    let database = &config.database;
    // Any instance is as good as another, so it need not be known where the one that leads is.
    let address = config.cluster.advertise.as_ref().map(ToString::to_string);
    Ok(zephyrfs_postgres::Options {
        url: database.url.as_ref().map_or("", |url| url.expose()).to_owned(),
        password: database.read_password()?,
        name: config.cluster.name.clone(),
        client_address: client_address(address.as_deref().unwrap_or_default(), ports.grpc),
        max_connections: database.max_connections,
        acquire_timeout: database.acquire_timeout,
        statement_timeout: database.statement_timeout,
        lease: database.lease,
        keep_events: KEEP_EVENTS,
        observer: Arc::new(metrics.database()?),
    })
}

/// What requests are held to.
pub(super) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        max_id_length: limits.max_id_length,
        max_name_length: limits.max_name_length,
        max_address_length: limits.max_address_length,
        max_addresses_per_node: limits.max_addresses_per_node,
        max_capabilities_per_node: limits.max_capabilities_per_node,
        max_capability_length: limits.max_capability_length,
        max_chunks_per_file: limits.max_chunks_per_file,
        max_chunk_size: limits.max_chunk_size,
        max_file_size: limits.max_file_size,
        max_node_ids_per_request: limits.max_node_ids_per_request,
        max_pending_writes: limits.max_pending_writes,
        max_watchers: limits.max_watchers,
        ..Limits::default()
    }
}

/// What the operator wants of the service.
pub(super) fn policy(config: &Config) -> Policy {
    let coordinator = &config.coordinator;
    Policy {
        replication_factor: coordinator.replication_factor,
        max_nodes_per_chunk: coordinator.max_nodes_per_chunk,
        geographic_spread: coordinator.geographic_spread,
        heartbeat_interval: coordinator.heartbeat_interval,
        heartbeat_flush: coordinator.heartbeat_flush,
        keep_requests: config.limits.idempotency_ttl,
        gc_grace: coordinator.gc_grace,
        node_timeout: coordinator.node_timeout,
        repair_delay: coordinator.repair_delay,
        repair_delay_few: coordinator.repair_delay_few,
        repair_delay_last: coordinator.repair_delay_last,
        node_inactive_after: coordinator.node_inactive_after,
        // From 0 to 1, as the configuration was checked to be.
        brake_permille: (coordinator.brake_ratio * 1_000.0).round() as u64,
        trim_after: coordinator.trim_after,
        quarantine: coordinator.quarantine,
        repair_rates: Rates {
            overall: limit(coordinator.repair_bandwidth),
            per_node: limit(coordinator.repair_node_bandwidth),
        },
        rebalance: coordinator.rebalance,
    }
}

/// A rate of which 0 is no limit.
fn limit(rate: u64) -> Option<u64> {
    Some(rate).filter(|rate| *rate > 0)
}

/// How the gRPC API is served.
pub(super) fn grpc_options(config: &Config, max_connections: usize) -> grpc::Options {
    grpc::Options {
        max_message_size: config.grpc.max_message_size,
        reflection: config.grpc.enable_reflection,
        default_deadline: config.limits.request_timeout,
        max_connections,
        drain: DRAIN,
        ..grpc::Options::default()
    }
}

/// How the REST API is served.
pub(super) fn rest_options(config: &Config, max_connections: usize) -> rest::RestOptions {
    rest::RestOptions {
        server: server_options(config, "rest", max_connections),
        max_body_size: config.limits.max_body_size,
        request_timeout: config.limits.request_timeout,
        cors_origins: config.http.cors_origins.clone(),
    }
}

/// How the health port is served.
pub(super) fn health_options(config: &Config, max_connections: usize) -> ServerOptions {
    ServerOptions {
        drain_timeout: PROBES_DRAIN,
        ..server_options(config, "health", max_connections)
    }
}

fn server_options(config: &Config, name: &'static str, max_connections: usize) -> ServerOptions {
    ServerOptions {
        max_connections,
        header_timeout: config.limits.header_timeout,
        drain_timeout: DRAIN,
        ..ServerOptions::named(name)
    }
}
