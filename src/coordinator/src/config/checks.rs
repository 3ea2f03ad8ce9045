//! Checks of settings against each other, once each is valid by itself.

use super::effective::Effective;
use super::error::{ConfigError, Conflict};
use super::sections::{Config, DatabaseEngine};

/// Checks `config`; `effective` tells where its values came from.
///
/// # Errors
/// `ConfigError::Conflict` for the first two values that exclude each other.
pub(crate) fn check(config: &Config, effective: &Effective) -> Result<(), ConfigError> {
    let Config {
        coordinator,
        cluster,
        database,
        raft,
        limits,
        ..
    } = config;
    let alone = cluster.is_alone();
    let embedded = database.engine == DatabaseEngine::Redb;
    let rules = [
        (
            coordinator.replication_factor <= coordinator.max_nodes_per_chunk,
            "coordinator.replication_factor",
            "must not be above",
            "coordinator.max_nodes_per_chunk",
        ),
        (
            coordinator.heartbeat_interval < coordinator.node_inactive_after,
            "coordinator.heartbeat_interval",
            "must be below",
            "coordinator.node_inactive_after",
        ),
        (
            coordinator.heartbeat_flush < coordinator.node_inactive_after,
            "coordinator.heartbeat_flush",
            "must be below",
            "coordinator.node_inactive_after",
        ),
        (
            raft.election_timeout_min < raft.election_timeout_max,
            "raft.election_timeout_min",
            "must be below",
            "raft.election_timeout_max",
        ),
        (
            raft.heartbeat_interval < raft.election_timeout_min,
            "raft.heartbeat_interval",
            "must be below",
            "raft.election_timeout_min",
        ),
        (
            limits.max_chunk_size <= limits.max_file_size,
            "limits.max_chunk_size",
            "must not be above",
            "limits.max_file_size",
        ),
        (
            embedded || database.url.is_some(),
            "database.type",
            "needs",
            "database.url",
        ),
        (
            database.password.is_none() || database.password_file.is_none(),
            "database.password",
            "must not be set together with",
            "database.password_file",
        ),
        (
            !embedded || alone || !cluster.peers.is_empty(),
            "cluster.replicas",
            "above 1 needs",
            "cluster.peers",
        ),
    ];
    for (holds, first, rule, second) in rules {
        if !holds {
            return Err(conflict(effective, first, rule, second));
        }
    }
    check_ports(config, effective)
}

/// Two listeners on one port: the second could not start.
fn check_ports(config: &Config, effective: &Effective) -> Result<(), ConfigError> {
    let ports = [
        ("grpc.port", config.grpc.port, true),
        ("http.port", config.http.port, config.http.enabled),
        (
            "health.metrics_port",
            config.health.metrics_port,
            config.health.metrics_enabled,
        ),
        ("cluster.peer_port", config.cluster.peer_port, true),
    ];
    let used: Vec<_> = ports
        .into_iter()
        .filter(|(_, port, enabled)| *enabled && *port != 0)
        .collect();
    for (position, (key, port, _)) in used.iter().enumerate() {
        for (other_key, other_port, _) in &used[..position] {
            if port == other_port {
                return Err(conflict(effective, other_key, "must differ from", key));
            }
        }
    }
    Ok(())
}

fn conflict(
    effective: &Effective,
    first: &'static str,
    rule: &'static str,
    second: &'static str,
) -> ConfigError {
    let (first, second) = (effective.given(first), effective.given(second));
    ConfigError::Conflict(Box::new(Conflict { first, rule, second }))
}
