//! What the operator wants of the service: settings that change answers, not safety.

use std::time::Duration;

/// Settings of the service. The composition root fills them from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Replicas wanted for each chunk.
    pub replication_factor: u32,
    /// The most replicas that a chunk may have.
    pub max_nodes_per_chunk: u32,
    /// Whether a chunk's replicas are spread over failure domains.
    pub geographic_spread: bool,
    /// How often nodes are told to send a heartbeat.
    pub heartbeat_interval: Duration,
    /// How often received heartbeats are proposed as one command.
    pub heartbeat_flush: Duration,
    /// How long an answer is remembered for its idempotency key.
    pub keep_requests: Duration,
    /// How long a chunk that no file holds is kept.
    pub gc_grace: Duration,
    /// How long a node has to finish or renew a task.
    pub node_timeout: Duration,
    /// How long a silent node is expected back before its copies are replaced.
    pub repair_delay: Duration,
    /// The same when at most half of the copies wanted are stored elsewhere.
    pub repair_delay_few: Duration,
    /// The same when one is.
    pub repair_delay_last: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            replication_factor: 3,
            max_nodes_per_chunk: 10,
            geographic_spread: true,
            heartbeat_interval: Duration::from_secs(10),
            heartbeat_flush: Duration::from_secs(1),
            keep_requests: Duration::from_secs(24 * 60 * 60),
            gc_grace: Duration::from_secs(60 * 60),
            node_timeout: Duration::from_secs(30),
            repair_delay: Duration::from_secs(15 * 60),
            repair_delay_few: Duration::from_secs(3 * 60),
            repair_delay_last: Duration::from_secs(60),
        }
    }
}
