//! Handing leadership over, and seeing that the other one leads.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::engine::ClusterError;

use super::members::{MemberView, Members};
use crate::disk::Disk;
use crate::engine::RaftEngine;

/// A handover that works takes milliseconds; one that does not ends in an election.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(5);

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Logs every change of leader, as long as the engine lives.
    pub(in crate::engine) fn tell_of_leaders(self: &Arc<Self>) {
        let engine = Arc::downgrade(self);
        let mut changes = self.raft.server_metrics();
        drop(R::spawn(async move {
            let mut known = None;
            while changes.changed().await.is_ok() {
                let Some(engine) = engine.upgrade() else { return };
                let leader = engine.leader().map(|leader| (leader.id, leader.term));
                if leader == known {
                    continue;
                }
                match leader {
                    Some((id, term)) if id == engine.raft_id => tracing::info!(term, "This replica leads"),
                    Some((id, term)) => {
                        let members = engine.members();
                        let leader = members.find(id).map(|member| member.peer.name.clone());
                        tracing::info!(leader, term, "Following a leader");
                    }
                    None => tracing::info!("There is no leader"),
                }
                known = leader;
            }
        }));
    }

    /// Before this replica stops: if it leads, another one is to lead first. Without another one that could, nothing
    /// happens.
    pub async fn hand_over(&self) {
        let members = self.members();
        if !members.leads {
            return;
        }
        let Some(next) = self.furthest(&members) else {
            return;
        };
        match self.transfer_to(&next, HANDOVER_PATIENCE).await {
            Ok(leader) => tracing::info!(leader, "Leadership is handed over"),
            Err(error) => {
                tracing::warn!(%error, "Leadership was not handed over before stopping; the others elect")
            }
        }
    }

    /// The voter in contact that is furthest along, other than this one.
    pub(super) fn furthest(&self, members: &Members) -> Option<MemberView> {
        let others = members
            .voters()
            .filter(|voter| voter.id != self.raft_id && voter.in_contact);
        others.min_by_key(|voter| voter.lag).cloned()
    }

    /// As the leader: lets a voter lead, and waits until it does, or another one. Says who leads.
    pub(super) async fn transfer_to(
        &self,
        next: &MemberView,
        within: Duration,
    ) -> Result<String, ClusterError> {
        let name = &next.peer.name;
        let mut changes = self.raft.server_metrics();
        let asked = self.raft.trigger().transfer_leader(next.id).await;
        asked.map_err(|fatal| ClusterError::Unavailable {
            reason: format!("this replica stopped: {fatal}"),
        })?;
        let over = async {
            loop {
                let leader = changes.borrow_watched().current_leader;
                if let Some(leader) = leader.filter(|leader| *leader != self.raft_id) {
                    return leader;
                }
                if changes.changed().await.is_err() {
                    // The Raft task ended; nobody is known to lead.
                    return 0;
                }
            }
        };
        match R::timeout(within.min(HANDOVER_PATIENCE), over).await {
            Ok(leader) => {
                let members = self.members();
                let leader = members.find(leader).map(|member| member.peer.name.clone());
                Ok(leader.unwrap_or_else(|| "another replica".to_owned()))
            }
            Err(_) => Err(ClusterError::UnknownOutcome {
                reason: format!("{name} was asked to lead and has not taken over yet; look who leads"),
            }),
        }
    }
}
