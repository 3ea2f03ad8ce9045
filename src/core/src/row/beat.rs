//! A node's last heartbeat: a row of its own, so that a beat does not rewrite the registry.

use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Timestamp};

/// When a node was last heard from, and what it said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BeatRow {
    /// When a replica of the coordinator received the beat, by the leader's clock.
    pub at: Timestamp,
    /// What the node said.
    pub stats: NodeStats,
}

/// What a node says of itself in a heartbeat. Decisions use the sizes only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeStats {
    /// Bytes that its chunks take.
    pub storage_used: ByteSize,
    /// Bytes that it could still take.
    pub storage_available: ByteSize,
    /// Chunks that it holds.
    pub chunks_stored: u64,
    /// Bytes per second that it sends.
    pub bandwidth_up: u64,
    /// Bytes per second that it receives.
    pub bandwidth_down: u64,
    /// Percent, 0 to 100.
    pub cpu_usage: f64,
    /// Percent, 0 to 100.
    pub memory_usage: f64,
    /// Seconds since it started.
    pub uptime_seconds: u64,
}
