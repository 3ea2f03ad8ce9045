//! Nodes.

use zephyrfs_core::row::{BeatRow, NodeStats};
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::{len_to_i32, to_i64};
use crate::service::{
    ActiveNodesQuery, HeartbeatReport, ListPage, NodeDetails, NodeListQuery, NodeRegistration, NodeRemoval,
    NodeStateSet, PageQuery, RegisteredNode, ReportedStats,
};

impl From<wire::RegisterNodeRequest> for NodeRegistration {
    fn from(request: wire::RegisterNodeRequest) -> Self {
        let wire::RegisterNodeRequest {
            node_id,
            addresses,
            storage_capacity,
            capabilities,
        } = request;
        Self {
            node_id,
            addresses,
            storage_capacity,
            capabilities: capabilities.into_iter().collect(),
        }
    }
}

impl FromAnswer<RegisteredNode> for wire::RegisterNodeResponse {
    fn done(RegisteredNode { node, peers, known }: RegisteredNode) -> Self {
        let message = if known {
            "node registered again"
        } else {
            "node registered"
        };
        Self {
            success: true,
            message: message.to_owned(),
            assigned_node_id: node.into(),
            bootstrap_peers: peers,
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            assigned_node_id: String::new(),
            bootstrap_peers: Vec::new(),
        })
    }
}

impl From<wire::UnregisterNodeRequest> for NodeRemoval {
    fn from(request: wire::UnregisterNodeRequest) -> Self {
        let wire::UnregisterNodeRequest { node_id, reason } = request;
        Self { node_id, reason }
    }
}

impl FromAnswer<()> for wire::UnregisterNodeResponse {
    fn done((): ()) -> Self {
        Self {
            success: true,
            message: "node unregistered".to_owned(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        let success = false;
        Some(Self { success, message })
    }
}

impl From<wire::NodeHeartbeatRequest> for HeartbeatReport {
    fn from(request: wire::NodeHeartbeatRequest) -> Self {
        let wire::NodeHeartbeatRequest { node_id, stats } = request;
        Self {
            node_id,
            stats: stats.map(ReportedStats::from),
        }
    }
}

impl From<wire::NodeStats> for ReportedStats {
    fn from(stats: wire::NodeStats) -> Self {
        let wire::NodeStats {
            storage_used,
            storage_available,
            chunks_stored,
            bandwidth_up,
            bandwidth_down,
            cpu_usage,
            memory_usage,
            uptime_seconds,
        } = stats;
        Self {
            storage_used,
            storage_available,
            chunks_stored,
            bandwidth_up,
            bandwidth_down,
            cpu_usage,
            memory_usage,
            uptime_seconds,
        }
    }
}

impl FromAnswer<Vec<String>> for wire::NodeHeartbeatResponse {
    fn done(tasks: Vec<String>) -> Self {
        Self {
            success: true,
            message: "heartbeat received".to_owned(),
            tasks,
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            tasks: Vec::new(),
        })
    }
}

impl From<wire::GetActiveNodesRequest> for ActiveNodesQuery {
    fn from(request: wire::GetActiveNodesRequest) -> Self {
        let wire::GetActiveNodesRequest { limit, exclude_nodes } = request;
        Self {
            limit: limit.into(),
            exclude: exclude_nodes,
        }
    }
}

impl FromAnswer<Vec<NodeDetails>> for wire::GetActiveNodesResponse {
    fn done(nodes: Vec<NodeDetails>) -> Self {
        Self {
            total_nodes: len_to_i32(nodes.len()),
            nodes: nodes.into_iter().map(node_status).collect(),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

impl FromAnswer<NodeDetails> for wire::GetNodeResponse {
    fn done(node: NodeDetails) -> Self {
        Self {
            success: true,
            message: "node found".to_owned(),
            node: Some(node_record(node)),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            node: None,
        })
    }
}

impl From<wire::ListNodesRequest> for NodeListQuery {
    fn from(request: wire::ListNodesRequest) -> Self {
        let wire::ListNodesRequest {
            status,
            limit,
            page_token,
        } = request;
        Self {
            status,
            page: PageQuery {
                limit: limit.into(),
                token: page_token,
            },
        }
    }
}

impl FromAnswer<ListPage<NodeDetails>> for wire::ListNodesResponse {
    fn done(page: ListPage<NodeDetails>) -> Self {
        Self {
            items: page.items.into_iter().map(node_record).collect(),
            next_page_token: page.next_page_token.unwrap_or_default(),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

impl FromAnswer<NodeStateSet> for wire::NodeStateResponse {
    fn done(set: NodeStateSet) -> Self {
        Self {
            success: true,
            message: format!("node is {set}"),
            status: set.status.to_string(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            status: String::new(),
        })
    }
}

/// A node in the short form that clients get.
pub(super) fn node_status(details: NodeDetails) -> wire::NodeStatus {
    let status = details.status();
    let NodeDetails {
        id,
        node,
        beat,
        flapping: _,
    } = details;
    wire::NodeStatus {
        node_id: id.into(),
        addresses: node.addresses.clone(),
        stats: beat.map(|beat| stats(beat.stats)),
        last_heartbeat: last_heartbeat(beat),
        status: status.to_string(),
    }
}

fn node_record(details: NodeDetails) -> wire::NodeRecord {
    let status = details.status();
    let drained = details.drained();
    let NodeDetails {
        id,
        node,
        beat,
        flapping,
    } = details;
    wire::NodeRecord {
        node_id: id.into(),
        addresses: node.addresses.clone(),
        storage_capacity: node.capacity.to_wire(),
        capabilities: node.capabilities.clone().into_iter().collect(),
        status: status.to_string(),
        registered_at: node.registered_at.as_unix_seconds(),
        last_heartbeat: last_heartbeat(beat),
        stats: beat.map(|beat| stats(beat.stats)),
        drained,
        held_until: flapping.map(|(until, _)| until.as_unix_seconds()),
        returns: flapping.map(|(_, returns)| returns),
    }
}

/// Zero if the node was never heard from.
fn last_heartbeat(beat: Option<BeatRow>) -> i64 {
    beat.map_or(0, |beat| beat.at.as_unix_seconds())
}

fn stats(stats: NodeStats) -> wire::NodeStats {
    let NodeStats {
        storage_used,
        storage_available,
        chunks_stored,
        bandwidth_up,
        bandwidth_down,
        cpu_usage,
        memory_usage,
        uptime_seconds,
    } = stats;
    wire::NodeStats {
        storage_used: storage_used.to_wire(),
        storage_available: storage_available.to_wire(),
        chunks_stored: to_i64(chunks_stored),
        bandwidth_up: to_i64(bandwidth_up),
        bandwidth_down: to_i64(bandwidth_down),
        cpu_usage,
        memory_usage,
        uptime_seconds: to_i64(uptime_seconds),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};
    use zephyrfs_proto::coordinator as wire;

    use super::{node_record, node_status};
    use crate::service::{HeartbeatReport, NodeDetails, ReportedStats};

    fn details() -> NodeDetails {
        NodeDetails {
            id: NodeId::from("n"),
            node: Arc::new(NodeRow {
                addresses: vec!["a:1".to_owned(), "b:2".to_owned()],
                capacity: ByteSize::new(u64::MAX),
                capabilities: BTreeMap::from([("zone".to_owned(), "z".to_owned())]),
                registered_at: Timestamp::from_millis(5_999),
                wanted: Wanted::Draining(zephyrfs_core::row::Drain::beginning(
                    Timestamp::EPOCH,
                    zephyrfs_core::Usage::default(),
                    zephyrfs_core::row::AfterDrain::Stay,
                )),
                observed: Observed::Active,
                contact: zephyrfs_core::row::Contact::default(),
            }),
            beat: Some(BeatRow {
                at: Timestamp::from_millis(7_001),
                stats: NodeStats {
                    storage_used: ByteSize::new(1),
                    storage_available: ByteSize::new(2),
                    chunks_stored: u64::MAX,
                    bandwidth_up: 4,
                    bandwidth_down: 5,
                    cpu_usage: 6.5,
                    memory_usage: 7.5,
                    uptime_seconds: 8,
                },
            }),
            flapping: None,
        }
    }

    fn wire_stats() -> wire::NodeStats {
        wire::NodeStats {
            storage_used: 1,
            storage_available: 2,
            chunks_stored: i64::MAX,
            bandwidth_up: 4,
            bandwidth_down: 5,
            cpu_usage: 6.5,
            memory_usage: 7.5,
            uptime_seconds: 8,
        }
    }

    #[test]
    fn a_node_has_times_in_seconds_and_numbers_that_fit() {
        let expected = wire::NodeStatus {
            node_id: "n".to_owned(),
            addresses: vec!["a:1".to_owned(), "b:2".to_owned()],
            stats: Some(wire_stats()),
            last_heartbeat: 7,
            status: "draining".to_owned(),
        };
        assert_eq!(node_status(details()), expected);
        let record = node_record(details());
        assert_eq!(record.storage_capacity, i64::MAX);
        assert_eq!(record.registered_at, 5);
        assert_eq!(record.capabilities["zone"], "z");
        assert_eq!(record.stats, Some(wire_stats()));
    }

    #[test]
    fn a_node_that_was_never_heard_from_has_no_statistics() {
        let silent = NodeDetails {
            beat: None,
            ..details()
        };
        let status = node_status(silent);
        assert_eq!((status.last_heartbeat, status.stats), (0, None));
    }

    #[test]
    fn statistics_come_in_as_they_were_sent() {
        let request = wire::NodeHeartbeatRequest {
            node_id: "n".to_owned(),
            stats: Some(wire_stats()),
        };
        let expected = ReportedStats {
            storage_used: 1,
            storage_available: 2,
            chunks_stored: i64::MAX,
            bandwidth_up: 4,
            bandwidth_down: 5,
            cpu_usage: 6.5,
            memory_usage: 7.5,
            uptime_seconds: 8,
        };
        assert_eq!(HeartbeatReport::from(request).stats, Some(expected));
    }
}
