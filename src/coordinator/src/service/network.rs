//! The network as a whole, in numbers.

use zephyrfs_core::engine::At;
use zephyrfs_core::units::{ByteSize, Timestamp};

use super::{NodeDetails, RequestContext, Service, ServiceError};

/// The network in numbers. Capacity, used bytes and average uptime are of active nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NetworkStats {
    /// All nodes, unregistered ones too.
    pub total_nodes: u64,
    /// Nodes that are active.
    pub active_nodes: u64,
    /// What active nodes offer.
    pub total_storage_capacity: ByteSize,
    /// What active nodes have used.
    pub total_storage_used: ByteSize,
    /// Registered files.
    pub total_files: u64,
    /// Chunks that some file holds.
    pub total_chunks: u64,
    /// Seconds; 0 without active nodes.
    pub average_node_uptime: f64,
    /// Seconds since the first node ever registered; 0 before that.
    pub network_uptime_seconds: u64,
}

/// The network in numbers, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkSummary {
    /// The numbers.
    pub stats: NetworkStats,
    /// When they were taken.
    pub taken_at: Timestamp,
}

/// The network in numbers, with its active nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkStatus {
    /// The numbers, and when.
    pub summary: NetworkSummary,
    /// The active nodes, longest uptime first.
    pub active_nodes: Vec<NodeDetails>,
}

impl Service {
    /// The network in numbers, with its active nodes.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn network_status(&self, context: RequestContext) -> Result<At<NetworkStatus>, ServiceError> {
        todo!()
    }

    /// The network in numbers.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn network_stats(&self, context: RequestContext) -> Result<At<NetworkSummary>, ServiceError> {
        todo!()
    }
}
