//! What operators and probes want to know, from memory.

use std::sync::atomic::Ordering;

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::engine::{EngineStatus, Member};
use zephyrfs_core::units::AppliedIndex;

use super::RaftEngine;
use crate::disk::Disk;

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    pub(super) fn engine_status(&self) -> EngineStatus {
        // Cloned at once: the Raft task waits while somebody holds the original.
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let index = |log_id: Option<u64>| AppliedIndex::new(log_id.unwrap_or(0));
        let committed = metrics.local_committed.as_ref().map(|log_id| log_id.index);
        let applied = metrics.last_applied.as_ref().map(|log_id| log_id.index);
        let leader = metrics
            .current_leader
            .and_then(|id| membership.get_node(&id))
            .map(|peer| peer.name.clone());
        let members = membership.nodes().map(|(&id, peer)| {
            let matched = metrics
                .replication
                .as_ref()
                .and_then(|all| all.get(&id).copied().flatten());
            let matched = if id == metrics.id {
                metrics.last_log_index
            } else {
                matched.map(|log_id| log_id.index)
            };
            Member {
                name: peer.name.clone(),
                raft_id: id,
                voter: voters.contains(&id),
                address: peer.address.clone(),
                healthy: id == metrics.id || matched.is_some(),
                lag: metrics
                    .last_log_index
                    .unwrap_or(0)
                    .saturating_sub(matched.unwrap_or(0)),
            }
        });
        let failed = self.failure();
        // Only a start is waited for. Later, applying runs a little behind the log whenever there is something to apply.
        let recovering = !self.recovered.load(Ordering::Acquire);
        let not_ready = match (&failed, &leader) {
            (Some(reason), _) => Some(reason.clone()),
            (None, None) => Some("there is no leader".to_owned()),
            (None, Some(_)) if recovering => {
                let (applied, last) = (applied.unwrap_or(0), metrics.last_log_index.unwrap_or(0));
                Some(format!("applying the log: {applied} of {last}"))
            }
            (None, Some(_)) => None,
        };
        EngineStatus {
            engine: "raft",
            cluster_id: self.log.identity().cluster_id.clone(),
            leader,
            leader_address: None,
            leads: metrics.state == ServerState::Leader,
            term: metrics.current_term,
            committed: index(committed),
            applied: index(applied),
            failure_tolerance: u32::try_from(voters.len().saturating_sub(1) / 2).unwrap_or(u32::MAX),
            members: members.collect(),
            not_ready,
            failed,
        }
    }
}
