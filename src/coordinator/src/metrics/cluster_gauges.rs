//! Gauges of the coordinator's own replicas: who leads, who is there, and who lags.

use prometheus::core::Collector;
use prometheus::{IntGauge, IntGaugeVec, Opts};
use zephyrfs_core::engine::EngineStatus;

use super::engine_gauges::gauge_value;

/// The roles of a member.
const ROLES: [(&str, bool); 2] = [("voter", true), ("learner", false)];

/// The gauges, as one replica sees the others.
pub(super) struct ClusterGauges {
    applied: IntGauge,
    committed: IntGauge,
    term: IntGauge,
    is_leader: IntGauge,
    has_leader: IntGauge,
    members: IntGaugeVec,
    healthy_members: IntGauge,
    failure_tolerance: IntGauge,
    lag: IntGaugeVec,
}

impl ClusterGauges {
    /// Gauges that say nothing yet.
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            applied: IntGauge::new(
                "coordinator_applied_index",
                "Index of the last command applied on this replica.",
            )?,
            committed: IntGauge::new(
                "coordinator_committed_index",
                "Index of the last command that this replica knows to be committed.",
            )?,
            term: IntGauge::new("coordinator_term", "Term of the consensus on this replica.")?,
            is_leader: IntGauge::new("coordinator_is_leader", "1 if this replica leads, else 0.")?,
            has_leader: IntGauge::new(
                "coordinator_has_leader",
                "1 if this replica knows of a leader, else 0.",
            )?,
            members: IntGaugeVec::new(
                Opts::new(
                    "coordinator_members",
                    "Replicas of the coordinator, by role: voters, and learners that do not vote yet.",
                ),
                &["role"],
            )?,
            healthy_members: IntGauge::new(
                "coordinator_healthy_members",
                "Replicas of the coordinator that the leader hears from, as far as this replica knows.",
            )?,
            failure_tolerance: IntGauge::new(
                "coordinator_failure_tolerance",
                "Voters that may be lost with the coordinator still up.",
            )?,
            lag: IntGaugeVec::new(
                Opts::new(
                    "coordinator_replication_lag_entries",
                    "Log entries that a replica is behind the leader, by its name; only on the leader.",
                ),
                &["member"],
            )?,
        })
    }

    /// Shows another status.
    pub(super) fn show(&self, status: &EngineStatus) {
        self.applied.set(gauge_value(status.applied.get()));
        self.committed.set(gauge_value(status.committed.get()));
        self.term.set(gauge_value(status.term));
        self.is_leader.set(i64::from(status.leads));
        self.has_leader.set(i64::from(status.leader.is_some()));
        let count = |matches: &dyn Fn(bool, bool) -> bool| {
            let members = status.members.iter();
            let matching = members.filter(|member| matches(member.voter, member.healthy));
            gauge_value(matching.count() as u64)
        };
        for (role, votes) in ROLES {
            let with_role = count(&|voter, _| voter == votes);
            self.members.with_label_values(&[role]).set(with_role);
        }
        self.healthy_members.set(count(&|_, healthy| healthy));
        self.failure_tolerance.set(i64::from(status.failure_tolerance));
        // Who is no member any more, or is not for this replica to judge, is not shown with what was true once.
        self.lag.reset();
        for member in status.members.iter().filter(|_| status.leads) {
            self.lag
                .with_label_values(&[&member.name])
                .set(gauge_value(member.lag));
        }
    }

    /// All of them.
    pub(super) fn parts(&self) -> [&dyn Collector; 9] {
        [
            &self.applied,
            &self.committed,
            &self.term,
            &self.is_leader,
            &self.has_leader,
            &self.members,
            &self.healthy_members,
            &self.failure_tolerance,
            &self.lag,
        ]
    }
}
