//! Who leads, and waiting for that.

use std::time::Duration;

use openraft::Instant;
use openraft::async_runtime::WatchReceiver;
use openraft::type_config::AsyncRuntime;

use crate::disk::Disk;
use crate::engine::RaftEngine;

/// Who leads, as far as this replica knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Leader {
    pub(in crate::engine) id: u64,
    pub(in crate::engine) term: u64,
    /// Where its peer port is.
    pub(in crate::engine) address: String,
    /// Where clients reach it.
    pub(in crate::engine) client_address: String,
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Who leads now, as far as this replica knows.
    pub(in crate::engine) fn leader(&self) -> Option<Leader> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let id = metrics.current_leader?;
        let peer = metrics.membership_config.membership().get_node(&id)?;
        Some(Leader {
            id,
            term: metrics.vote.leader_id.term,
            address: self.addresses.find(id).unwrap_or_else(|| peer.address.clone()),
            client_address: peer.client_address.clone(),
        })
    }

    /// Whether a majority followed this leader within an election timeout. The Raft task takes no command otherwise; one
    /// that is not even offered surely has no effect, whenever its deadline comes.
    pub(in crate::engine) fn is_followed(&self) -> bool {
        let voters = {
            let metrics = self.raft.server_metrics();
            let metrics = metrics.borrow_watched();
            metrics.membership_config.membership().voter_ids().count()
        };
        let metrics = self.raft.data_metrics();
        let acknowledged = metrics.borrow_watched().last_quorum_acked;
        voters == 1 || acknowledged.is_some_and(|at| at.elapsed() < self.timing.election.1)
    }

    /// Waits for a leader, a later one than this if one is given; `None` if none comes in time.
    pub(in crate::engine) async fn leader_after(
        &self,
        before: Option<u64>,
        within: Duration,
    ) -> Option<Leader> {
        R::timeout(within, self.next_leader(before)).await.ok().flatten()
    }

    /// Waits for a leader, a later one than this if one is given; `None` if this replica ends.
    pub(super) async fn next_leader(&self, before: Option<u64>) -> Option<Leader> {
        let mut changes = self.raft.server_metrics();
        loop {
            if let Some(leader) = self.leader().filter(|leader| Some(leader.term) > before) {
                return Some(leader);
            }
            // An error means that the Raft task ended: no leader will come.
            changes.changed().await.ok()?;
        }
    }
}
