//! What the operator wants of the service: settings that change answers, not safety.

use std::time::Duration;

use zephyrfs_core::placement;
use zephyrfs_core::repair::{self, BrakePolicy, Rates};
use zephyrfs_core::units::Millis;

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
    /// How long a node may be silent before it counts as inactive.
    pub node_inactive_after: Duration,
    /// The share of active nodes, in permille, whose sudden silence stops repair.
    pub brake_permille: u64,
    /// How long a chunk keeps copies that it has too many.
    pub trim_after: Duration,
    /// How long a chunk that a node reports and nobody knows is kept before it counts as one that no file holds.
    pub quarantine: Duration,
    /// What copying may take of the nodes' links.
    pub repair_rates: Rates,
    /// Whether copies move from full nodes to empty ones.
    pub rebalance: bool,
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
            node_inactive_after: Duration::from_secs(60),
            brake_permille: 300,
            trim_after: Duration::from_secs(60 * 60),
            quarantine: Duration::from_secs(24 * 60 * 60),
            repair_rates: Rates {
                overall: None,
                per_node: Some(64 << 20),
            },
            rebalance: true,
        }
    }
}

impl Policy {
    /// When repair is to stop. Nodes fall silent together if they do so within a minute, or within the time after which
    /// one is found silent, if that is shorter.
    pub(super) fn brake(&self) -> BrakePolicy {
        BrakePolicy {
            ratio_permille: self.brake_permille,
            window: self.node_inactive_after.min(Duration::from_secs(60)).into(),
            late_after: self.late_after().into(),
        }
    }

    /// A node that was not heard from for so long is about to be found silent: it has left out all the heartbeats that it had
    /// time for but one. Where there is time for few, three quarters of the time, so that none is late between two.
    fn late_after(&self) -> Duration {
        let all_but_one = self
            .node_inactive_after
            .saturating_sub(self.heartbeat_interval + self.heartbeat_flush);
        all_but_one.max(self.node_inactive_after * 3 / 4)
    }

    /// What is wanted of repair.
    pub(super) fn repair(&self) -> repair::Policy {
        repair::Policy {
            wanted: self.replication_factor as usize,
            delay: self.repair_delay.into(),
            delay_few: self.repair_delay_few.into(),
            delay_last: self.repair_delay_last.into(),
        }
    }

    /// What is wanted of placement.
    pub(super) const fn placement(&self) -> placement::Policy {
        placement::Policy {
            geographic_spread: self.geographic_spread,
        }
    }

    /// How long a node has for a task: until it is told, which may take a heartbeat's time, and then to do it.
    pub(super) fn task_time(&self) -> Millis {
        Millis::from(self.heartbeat_interval + self.node_timeout)
    }
}
