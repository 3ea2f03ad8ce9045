//! The members as this replica sees them, and changing them.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError};
use openraft::raft::Precondition;
use openraft::type_config::AsyncRuntime;
use openraft::{ChangeMembers, Instant, ServerState};
use zephyrfs_core::engine::ClusterError;

use super::CHANGE_PATIENCE;
use crate::disk::Disk;
use crate::engine::RaftEngine;
use crate::state::LogIdRecord;
use crate::types::{Peer, Types};

/// Between two looks whether the voters have answered a new leader.
const PAUSE: Duration = Duration::from_millis(20);

/// A member as the leader sees it.
#[derive(Debug, Clone)]
pub(in crate::engine) struct MemberView {
    pub(in crate::engine) id: u64,
    pub(in crate::engine) peer: Peer,
    pub(in crate::engine) is_voter: bool,
    /// Whether it answered lately.
    pub(in crate::engine) in_contact: bool,
    /// Entries behind the leader.
    pub(in crate::engine) lag: u64,
}

/// The members, as of one moment.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Members {
    /// Whether this replica leads.
    pub(in crate::engine) leads: bool,
    /// How long it has led, at least.
    pub(in crate::engine) led_for: Duration,
    /// After so much silence a member counts as gone.
    pub(in crate::engine) gone_after: Duration,
    pub(in crate::engine) is_joint: bool,
    pub(in crate::engine) all: Vec<MemberView>,
    /// The entry that made this membership.
    pub(in crate::engine) since: Option<LogIdRecord>,
}

impl Members {
    /// A member by its raft id.
    pub(in crate::engine) fn find(&self, id: u64) -> Option<&MemberView> {
        self.all.iter().find(|member| member.id == id)
    }

    /// The voters.
    pub(in crate::engine) fn voters(&self) -> impl Iterator<Item = &MemberView> {
        self.all.iter().filter(|member| member.is_voter)
    }

    /// Whether this replica has led for long enough to tell silence from not having asked.
    pub(in crate::engine) fn knows_silence(&self) -> bool {
        self.led_for >= self.gone_after
    }

    /// Whether a majority of these voters answers.
    pub(in crate::engine) fn have_quorum<'a>(voters: impl Iterator<Item = &'a MemberView>) -> bool {
        let (mut all, mut up) = (0_usize, 0_usize);
        for voter in voters {
            all += 1;
            up += usize::from(voter.in_contact);
        }
        up * 2 > all
    }
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// The members, as this replica sees them.
    pub(in crate::engine) fn members(&self) -> Members {
        // Cloned at once: the Raft task waits while somebody holds the original.
        let metrics = self.raft.metrics().borrow_watched().clone();
        let gone_after = self.timing.election.1 * 2;
        let leads = metrics.state == ServerState::Leader;
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let last = metrics.last_log_index.unwrap_or(0);
        let all = membership.nodes().map(|(&id, peer)| {
            let is_self = id == metrics.id;
            let matched = metrics
                .replication
                .as_ref()
                .and_then(|all| all.get(&id).copied().flatten());
            let matched = if is_self {
                last
            } else {
                matched.map_or(0, |log_id| log_id.index)
            };
            let heard = metrics
                .heartbeat
                .as_ref()
                .and_then(|all| all.get(&id).copied().flatten());
            MemberView {
                id,
                peer: peer.clone(),
                is_voter: voters.contains(&id),
                in_contact: is_self || heard.is_some_and(|heard| heard.elapsed() < gone_after),
                lag: last.saturating_sub(matched),
            }
        });
        Members {
            leads,
            led_for: self.tenure.of(leads.then_some(metrics.current_term)),
            gone_after,
            is_joint: membership.get_joint_config().len() > 1,
            all: all.collect(),
            since: metrics
                .membership_config
                .log_id()
                .as_ref()
                .map(crate::log::log_id_to_record),
        }
    }

    /// The members, once every voter has answered this leader or has been silent for long enough to count as gone. Of one
    /// that has just begun to lead nobody could tell.
    pub(super) async fn acquainted_members(&self) -> Members {
        loop {
            let members = self.members();
            let is_acquainted = members.knows_silence() || members.voters().all(|voter| voter.in_contact);
            if !members.leads || is_acquainted {
                return members;
            }
            R::sleep(PAUSE).await;
        }
    }

    /// Makes a change, if the membership is still the one that it was decided on.
    pub(in crate::engine) async fn change_members(
        &self,
        change: ChangeMembers<u64, Peer>,
        decided_on: &Members,
    ) -> Result<(), ClusterError> {
        let condition = Precondition::LastMembershipLogId {
            last_membership_log_id: decided_on.since.map(crate::log::log_id_from_record::<R>),
        };
        let change = self.raft.change_membership_if(change, false, [condition]);
        match R::timeout(CHANGE_PATIENCE, change).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_refusal(&error) && self.members().since == decided_on.since => {
                Err(ClusterError::Refused {
                    reason: format!("the membership was not changed: {error}; look at it and try again"),
                })
            }
            // A change takes two steps, and a leader that is lost between them leaves the second one to the next.
            Ok(Err(error)) => Err(ClusterError::UnknownOutcome {
                reason: format!(
                    "the change of the membership was begun and not confirmed ({error}); look whether it was made"
                ),
            }),
            Err(_) => Err(ClusterError::UnknownOutcome {
                reason: "the change of the membership was not confirmed in time; look whether it was made"
                    .to_owned(),
            }),
        }
    }
}

/// Whether the error of a change says that this step of it was not put into the log.
const fn is_refusal<R: AsyncRuntime>(error: &RaftError<Types<R>, ClientWriteError<Types<R>>>) -> bool {
    matches!(
        error,
        RaftError::APIError(
            ClientWriteError::ChangeMembershipError(_)
                | ClientWriteError::PreconditionFailed(_)
                | ClientWriteError::ForwardToLeader(_)
        )
    )
}
