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
    /// How often received heartbeats are proposed as one command.
    pub heartbeat_flush: Duration,
    /// How long an answer is remembered for its idempotency key.
    pub keep_requests: Duration,
    /// How long a chunk that no file holds is kept.
    pub gc_grace: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            replication_factor: 3,
            max_nodes_per_chunk: 10,
            geographic_spread: true,
            heartbeat_flush: Duration::from_secs(1),
            keep_requests: Duration::from_secs(24 * 60 * 60),
            gc_grace: Duration::from_secs(60 * 60),
        }
    }
}
