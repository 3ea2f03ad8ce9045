//! The network in numbers.

use serde::Serialize;
use utoipa::ToSchema;

use super::node::NodeStatus;
use crate::api::saturate::{to_i32, to_i64};
use crate::service;

/// The network in numbers. Capacity, used bytes and average uptime are of active nodes.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NetworkStats {
    total_nodes: i32,
    active_nodes: i32,
    /// Bytes.
    total_storage_capacity: i64,
    /// Bytes.
    total_storage_used: i64,
    total_files: i64,
    total_chunks: i64,
    /// Seconds.
    average_node_uptime: f64,
    /// Seconds since the first node ever registered.
    network_uptime_seconds: i64,
}

/// The network in numbers, with its active nodes.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct GetNetworkStatusResponse {
    network_stats: NetworkStats,
    /// Longest uptime first.
    active_nodes: Vec<NodeStatus>,
    /// Unix seconds.
    timestamp: i64,
}

/// The network in numbers, and when they were taken.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NetworkStatsResponse {
    #[serde(flatten)]
    stats: NetworkStats,
    /// Unix seconds.
    timestamp: i64,
}

impl From<service::NetworkStats> for NetworkStats {
    fn from(stats: service::NetworkStats) -> Self {
        let service::NetworkStats {
            total_nodes,
            active_nodes,
            total_storage_capacity,
            total_storage_used,
            total_files,
            total_chunks,
            average_node_uptime,
            network_uptime_seconds,
        } = stats;
        Self {
            total_nodes: to_i32(total_nodes),
            active_nodes: to_i32(active_nodes),
            total_storage_capacity: total_storage_capacity.to_wire(),
            total_storage_used: total_storage_used.to_wire(),
            total_files: to_i64(total_files),
            total_chunks: to_i64(total_chunks),
            average_node_uptime,
            network_uptime_seconds: to_i64(network_uptime_seconds),
        }
    }
}

impl From<service::NetworkSummary> for NetworkStatsResponse {
    fn from(summary: service::NetworkSummary) -> Self {
        let service::NetworkSummary { stats, taken_at } = summary;
        Self {
            stats: stats.into(),
            timestamp: taken_at.as_unix_seconds(),
        }
    }
}

impl From<service::NetworkStatus> for GetNetworkStatusResponse {
    fn from(status: service::NetworkStatus) -> Self {
        let service::NetworkStatus {
            summary: service::NetworkSummary { stats, taken_at },
            active_nodes,
        } = status;
        Self {
            network_stats: stats.into(),
            active_nodes: active_nodes.into_iter().map(NodeStatus::from).collect(),
            timestamp: taken_at.as_unix_seconds(),
        }
    }
}
