//! What operators and probes want to know, from memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::type_config::AsyncRuntime;
use openraft::{Instant, RaftMetrics};
use zephyrfs_core::engine::{EngineStatus, Member};
use zephyrfs_core::units::AppliedIndex;

use super::RaftEngine;
use super::cluster::Members;
use crate::disk::Disk;
use crate::types::Types;

/// A replica that has heard of no leader for so long should not be asked. Well above an election, so that a change of
/// leader makes no replica look ill.
const SILENCE: Duration = Duration::from_secs(3);

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    pub(super) fn engine_status(&self) -> EngineStatus {
        // Cloned at once: the Raft task waits while somebody holds the original.
        let metrics = self.raft.metrics().borrow_watched().clone();
        let members = self.members();
        let index = |log_id: Option<u64>| AppliedIndex::new(log_id.unwrap_or(0));
        let committed = metrics.local_committed.as_ref().map(|log_id| log_id.index);
        // One that is silent leads nobody, even if no other is known yet.
        let leader = metrics
            .current_leader
            .filter(|_| self.is_leader_heard(&metrics, &members))
            .and_then(|id| members.find(id));
        let is_led = leader.is_some();
        let leader = leader.map(|leader| leader.peer.clone());
        let leads = members.leads && is_led;
        let failed = self.failure();
        let not_ready = failed
            .clone()
            .or_else(|| self.obstacle_to_serving(&metrics, &members));
        let members = self.members_for_people(members);
        EngineStatus {
            engine: "raft",
            cluster_id: self.log.identity().cluster_id.clone(),
            leader_address: leader.as_ref().map(|leader| leader.client_address.clone()),
            leader: leader.map(|leader| leader.name),
            leads,
            term: metrics.current_term,
            committed: index(committed),
            applied: AppliedIndex::new(self.applied_index()),
            failure_tolerance: failure_tolerance(&members),
            members,
            not_ready,
            failed,
        }
    }

    /// The members for operators. Only the leader knows how the others are; a follower tells what it last heard of it.
    fn members_for_people(&self, members: Members) -> Vec<Member> {
        let Members { leads, all, .. } = members;
        let leader = self.leader().map(|leader| leader.id);
        let all = all.into_iter().map(|member| {
            let (healthy, lag) = if leads {
                (member.in_contact, member.lag)
            } else {
                let is_heard =
                    member.id == self.raft_id || (Some(member.id) == leader && self.hears_leader());
                let (in_contact, lag) = self.reports.of(member.id).unwrap_or((is_heard, 0));
                (in_contact && (Some(member.id) != leader || is_heard), lag)
            };
            Member {
                name: member.peer.name,
                raft_id: member.id,
                voter: member.is_voter,
                address: member.peer.address,
                healthy,
                lag,
            }
        });
        let mut all: Vec<Member> = all.collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Why this replica should not be asked, other than that it cannot go on at all.
    fn obstacle_to_serving(&self, metrics: &RaftMetrics<Types<R>>, members: &Members) -> Option<String> {
        if !self.knows_members() {
            let reason = self.stage.waiting();
            return Some(reason.unwrap_or_else(|| "looking for the other replicas".to_owned()));
        }
        if let Some(silence) = self.silence(metrics, members) {
            // What keeps the others away may be known.
            return Some(self.stage.waiting().unwrap_or(silence));
        }
        // Only a start is waited for. Later, applying runs a little behind the log whenever there is something to apply.
        if !self.recovered.load(Ordering::Acquire) {
            let last = metrics.last_log_index.unwrap_or(0);
            return Some(format!("applying the log: {} of {last}", self.applied_index()));
        }
        match members.find(self.raft_id) {
            None => {
                let reason = self.stage.waiting();
                return Some(reason.unwrap_or_else(|| "this replica is no member of the cluster".to_owned()));
            }
            Some(me) if !me.is_voter => {
                return Some(
                    "this replica is a learner: it becomes a voter once it has caught up".to_owned(),
                );
            }
            Some(_) => {}
        }
        None
    }

    /// Why this replica does not know that it is led.
    fn silence(&self, metrics: &RaftMetrics<Types<R>>, members: &Members) -> Option<String> {
        let seconds = SILENCE.as_secs();
        if metrics.current_leader.is_none() {
            return Some("there is no leader".to_owned());
        }
        (!self.is_leader_heard(metrics, members)).then(|| {
            if members.leads {
                format!("no majority of the replicas has answered for {seconds} s")
            } else {
                format!("nothing has been heard of the leader for {seconds} s")
            }
        })
    }

    /// Whether there is a sign of life of the leader; if this replica leads, of a majority that follows it.
    fn is_leader_heard(&self, metrics: &RaftMetrics<Types<R>>, members: &Members) -> bool {
        if !members.leads {
            return self.hears_leader();
        }
        let acknowledged = metrics
            .last_quorum_acked
            .map(|acknowledged| acknowledged.elapsed());
        members.voters().count() == 1 || acknowledged.is_some_and(|age| age < SILENCE)
    }

    /// Whether a leader sent something lately.
    pub(super) fn hears_leader(&self) -> bool {
        self.contact.age().is_some_and(|age| age < SILENCE)
    }
}

/// How many of the voters that answer may stop answering with a majority left.
fn failure_tolerance(members: &[Member]) -> u32 {
    let voters = members.iter().filter(|member| member.voter);
    let quorum = voters.clone().count() / 2 + 1;
    let healthy = voters.filter(|voter| voter.healthy).count();
    u32::try_from(healthy.saturating_sub(quorum)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Member, failure_tolerance};

    #[test]
    fn what_may_be_lost_counts_from_the_voters_that_answer() {
        let cluster = |healthy: &[bool], learners: usize| -> Vec<Member> {
            let member = |(raft_id, (voter, healthy))| Member {
                name: format!("r{raft_id}"),
                raft_id,
                voter,
                address: String::new(),
                healthy,
                lag: 0,
            };
            let voters = healthy.iter().map(|healthy| (true, *healthy));
            let all = voters.chain(std::iter::repeat_n((false, true), learners));
            (0..).zip(all).map(member).collect()
        };
        assert_eq!(failure_tolerance(&cluster(&[true], 0)), 0);
        assert_eq!(failure_tolerance(&cluster(&[true, true, true], 2)), 1);
        assert_eq!(failure_tolerance(&cluster(&[true, true, false], 2)), 0);
        assert_eq!(failure_tolerance(&cluster(&[true, false, false], 0)), 0);
        assert_eq!(
            failure_tolerance(&cluster(&[true, true, true, true, false], 0)),
            1
        );
        assert_eq!(failure_tolerance(&[]), 0);
    }
}
