//! The network in numbers.

use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use super::nodes::node_status;
use crate::api::saturate::{to_i32, to_i64};
use crate::service::{NetworkStats, NetworkStatus};

impl FromAnswer<NetworkStatus> for wire::GetNetworkStatusResponse {
    fn done(status: NetworkStatus) -> Self {
        let NetworkStatus {
            summary,
            active_nodes,
        } = status;
        Self {
            network_stats: Some(network_stats(summary.stats)),
            active_nodes: active_nodes.into_iter().map(node_status).collect(),
            timestamp: summary.taken_at.as_unix_seconds(),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

fn network_stats(stats: NetworkStats) -> wire::NetworkStats {
    let NetworkStats {
        total_nodes,
        active_nodes,
        total_storage_capacity,
        total_storage_used,
        total_files,
        total_chunks,
        average_node_uptime,
        network_uptime_seconds,
    } = stats;
    wire::NetworkStats {
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

#[cfg(test)]
mod tests {
    use zephyrfs_core::units::{ByteSize, Timestamp};
    use zephyrfs_proto::coordinator as wire;

    use super::super::super::status::FromAnswer as _;
    use crate::service::{NetworkStats, NetworkStatus, NetworkSummary};

    #[test]
    fn every_number_has_its_own_place() {
        let response = wire::GetNetworkStatusResponse::done(NetworkStatus {
            summary: NetworkSummary {
                stats: NetworkStats {
                    total_nodes: u64::MAX,
                    active_nodes: 2,
                    total_storage_capacity: ByteSize::new(3),
                    total_storage_used: ByteSize::new(4),
                    total_files: 5,
                    total_chunks: 6,
                    average_node_uptime: 7.5,
                    network_uptime_seconds: 8,
                },
                taken_at: Timestamp::from_millis(9_900),
            },
            active_nodes: Vec::new(),
        });
        let expected = wire::NetworkStats {
            total_nodes: i32::MAX,
            active_nodes: 2,
            total_storage_capacity: 3,
            total_storage_used: 4,
            total_files: 5,
            total_chunks: 6,
            average_node_uptime: 7.5,
            network_uptime_seconds: 8,
        };
        assert_eq!(response.network_stats, Some(expected));
        assert_eq!(response.timestamp, 9);
    }
}
