//! The network as a whole, in numbers.

use std::time::Instant;

use zephyrfs_core::engine::At;
use zephyrfs_core::row::NodeStatus;
use zephyrfs_core::units::{AppliedIndex, ByteSize, Timestamp};
use zephyrfs_core::{ReadSet, Totals};

use super::error::ServiceError;
use super::freshness::local_at;
use super::nodes::NodeDetails;
use super::nodes::longest_uptime_first;
use super::request::RequestContext;
use super::state::Service;

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
        let At { index, value: nodes } = self.all_nodes(&context).await?;
        let summary = self.summary_of(&nodes, index, context.deadline).await?;
        let active = nodes.into_iter().filter(is_active).collect();
        let value = NetworkStatus {
            summary,
            active_nodes: longest_uptime_first(active, usize::MAX),
        };
        Ok(At { index, value })
    }

    /// The network in numbers.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn network_stats(&self, context: RequestContext) -> Result<At<NetworkSummary>, ServiceError> {
        let At { index, value: nodes } = self.all_nodes(&context).await?;
        let value = self.summary_of(&nodes, index, context.deadline).await?;
        Ok(At { index, value })
    }

    async fn summary_of(
        &self,
        nodes: &[NodeDetails],
        index: AppliedIndex,
        deadline: Option<Instant>,
    ) -> Result<NetworkSummary, ServiceError> {
        let totals = self.totals_since(index, deadline).await?;
        let taken_at = self.engine.now();
        Ok(NetworkSummary {
            stats: numbers(nodes, &totals, taken_at),
            taken_at,
        })
    }

    /// Counts of files and chunks that are no older than the nodes they are shown with.
    async fn totals_since(
        &self,
        index: AppliedIndex,
        deadline: Option<Instant>,
    ) -> Result<Totals, ServiceError> {
        let totals = self.engine.totals();
        if totals.index >= index {
            return Ok(totals.value);
        }
        let view = self.engine.view(ReadSet::default(), local_at(index));
        self.read("the number of files", deadline, view).await?;
        Ok(self.engine.totals().value)
    }
}

fn is_active(node: &NodeDetails) -> bool {
    node.status() == NodeStatus::Active
}

fn numbers(nodes: &[NodeDetails], totals: &Totals, now: Timestamp) -> NetworkStats {
    let mut stats = NetworkStats {
        total_nodes: nodes.len() as u64,
        total_files: totals.files,
        total_chunks: totals.chunks,
        network_uptime_seconds: nodes
            .iter()
            .map(|node| node.node.registered_at)
            .min()
            .map_or(0, |first| now.since(first).get() / 1_000),
        ..NetworkStats::default()
    };
    let mut uptime: u128 = 0;
    for node in nodes.iter().filter(|node| is_active(node)) {
        let reported = node.beat.map(|beat| beat.stats).unwrap_or_default();
        stats.active_nodes += 1;
        stats.total_storage_capacity = stats.total_storage_capacity.plus(node.node.capacity);
        stats.total_storage_used = stats.total_storage_used.plus(reported.storage_used);
        uptime += u128::from(reported.uptime_seconds);
    }
    if stats.active_nodes > 0 {
        stats.average_node_uptime = uptime as f64 / stats.active_nodes as f64;
    }
    stats
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use zephyrfs_core::Totals;
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};

    use super::{NetworkStats, NodeDetails, numbers};

    fn node(id: &str, wanted: Wanted, registered_at: u64, used: u64, uptime_seconds: u64) -> NodeDetails {
        NodeDetails {
            id: NodeId::from(id),
            node: Arc::new(NodeRow {
                addresses: Vec::new(),
                capacity: ByteSize::new(1_000),
                capabilities: BTreeMap::new(),
                registered_at: Timestamp::from_millis(registered_at),
                wanted,
                observed: Observed::Active,
                contact: zephyrfs_core::row::Contact::default(),
            }),
            beat: Some(BeatRow {
                at: Timestamp::EPOCH,
                stats: NodeStats {
                    storage_used: ByteSize::new(used),
                    uptime_seconds,
                    ..NodeStats::default()
                },
            }),
            flapping: None,
        }
    }

    #[test]
    fn capacity_used_bytes_and_uptime_are_of_active_nodes_only() {
        let nodes = [
            node("a", Wanted::InService, 20_000, 10, 100),
            node("b", Wanted::InService, 10_000, 20, 201),
            node(
                "draining",
                Wanted::Draining(zephyrfs_core::row::Drain::beginning(
                    Timestamp::EPOCH,
                    zephyrfs_core::Usage::default(),
                    zephyrfs_core::row::AfterDrain::Stay,
                )),
                5_000,
                40,
                1_000_000,
            ),
        ];
        let stats = numbers(&nodes, &Totals::default(), Timestamp::from_millis(65_900));
        let expected = NetworkStats {
            total_nodes: 3,
            active_nodes: 2,
            total_storage_capacity: ByteSize::new(2_000),
            total_storage_used: ByteSize::new(30),
            average_node_uptime: 150.5,
            network_uptime_seconds: 60,
            ..NetworkStats::default()
        };
        assert_eq!(stats, expected);
    }

    #[test]
    fn an_empty_network_has_plain_zeros() {
        let stats = numbers(&[], &Totals::default(), Timestamp::from_millis(1));
        assert_eq!(stats, NetworkStats::default());
    }

    #[test]
    fn sums_stop_at_the_end_of_the_wire_s_range() {
        let huge = |id| node(id, Wanted::InService, 0, u64::MAX, u64::MAX);
        let stats = numbers(&[huge("a"), huge("b")], &Totals::default(), Timestamp::EPOCH);
        assert_eq!(stats.total_storage_used.to_wire(), i64::MAX);
        assert!(stats.average_node_uptime.is_finite());
    }
}
