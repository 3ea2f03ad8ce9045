//! Changes that operators ask for. Whatever would leave no quorum is refused, with the safe next command.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::engine::{ClusterChange, ClusterError};
use zephyrfs_proto::peer::change_cluster_reply::Outcome;
use zephyrfs_proto::peer::change_cluster_request::Change;
use zephyrfs_proto::peer::{ChangeClusterReply, ChangeClusterRequest, NoSuchMember, TransferTo};

use super::members::{MemberView, Members};
use crate::disk::Disk;
use crate::engine::RaftEngine;
use crate::peers::PeerError;

/// A leader that is to go hands over first, and the change goes on there: at most so often.
const MAX_HOPS: usize = 3;

/// Nobody waits longer than this for a change.
const MAX_WITHIN: Duration = Duration::from_secs(3_600);

/// What the leader made of a change.
enum Step {
    Done(String),
    /// Another replica leads now, and is to do it.
    Elsewhere,
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Makes a change, wherever the leader is.
    pub(in crate::engine) async fn change(
        &self,
        change: ClusterChange,
        within: Duration,
    ) -> Result<String, ClusterError> {
        let making = async {
            for _ in 0..MAX_HOPS {
                let Some(leader) = self.leader_after(None, within).await else {
                    return Err(no_leader());
                };
                if leader.id != self.raft_id {
                    return self
                        .ask_for_change(&leader.address, leader.id, change.clone(), within)
                        .await;
                }
                match self.change_here(&change, within).await? {
                    Step::Done(done) => return Ok(done),
                    Step::Elsewhere => {}
                }
            }
            Err(no_leader())
        };
        R::timeout(within, making).await.unwrap_or_else(|_| {
            Err(ClusterError::UnknownOutcome {
                reason: "the change was not confirmed before the deadline; look whether it was made"
                    .to_owned(),
            })
        })
    }

    async fn ask_for_change(
        &self,
        address: &str,
        to: u64,
        change: ClusterChange,
        within: Duration,
    ) -> Result<String, ClusterError> {
        let request = ChangeClusterRequest {
            route: Some(self.whoami.route_to(to)),
            change: Some(match change {
                ClusterChange::TransferLeader { to: name } => Change::Transfer(TransferTo { name }),
                ClusterChange::RemoveMember { name } => Change::Remove(name),
                ClusterChange::Resize { replicas } => Change::Resize(replicas),
            }),
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        };
        let reply = self.requests_to(address).change_cluster(request).await;
        let reply = reply.map_err(|error| match error {
            PeerError::Unreachable(reason) | PeerError::Stranger(reason) => ClusterError::Unavailable {
                reason: format!("the leader was not reached: {reason}"),
            },
            PeerError::Broken(reason) | PeerError::Malformed(reason) | PeerError::Stopped(reason) => {
                ClusterError::UnknownOutcome {
                    reason: format!("the leader did not answer ({reason}); look whether the change was made"),
                }
            }
        })?;
        match reply.outcome {
            Some(Outcome::Done(done)) => Ok(done),
            Some(Outcome::NoSuchMember(NoSuchMember { name, known })) => {
                Err(ClusterError::NoSuchMember { name, known })
            }
            Some(Outcome::Refused(reason)) => Err(ClusterError::Refused { reason }),
            Some(Outcome::Unavailable(reason)) => Err(ClusterError::Unavailable { reason }),
            Some(Outcome::Unknown(reason)) => Err(ClusterError::UnknownOutcome { reason }),
            None => Err(ClusterError::UnknownOutcome {
                reason: "the leader's answer says nothing".to_owned(),
            }),
        }
    }

    /// Makes a change that another replica was asked for, if this one leads.
    pub(in crate::engine) async fn change_for_peer(
        &self,
        request: ChangeClusterRequest,
    ) -> ChangeClusterReply {
        let within = Duration::from_millis(request.within_ms).min(MAX_WITHIN);
        let change = match request.change {
            Some(Change::Transfer(TransferTo { name })) => Some(ClusterChange::TransferLeader { to: name }),
            Some(Change::Remove(name)) => Some(ClusterChange::RemoveMember { name }),
            Some(Change::Resize(replicas)) => Some(ClusterChange::Resize { replicas }),
            None => None,
        };
        let result = match change {
            // Not passed on a second time, except by a leader that hands over itself.
            Some(change) if self.members().leads => self.change(change, within).await,
            Some(_) => Err(no_leader()),
            None => Err(ClusterError::Refused {
                reason: "the request names no change".to_owned(),
            }),
        };
        let outcome = match result {
            Ok(done) => Outcome::Done(done),
            Err(ClusterError::NoSuchMember { name, known }) => {
                Outcome::NoSuchMember(NoSuchMember { name, known })
            }
            Err(ClusterError::Refused { reason }) => Outcome::Refused(reason),
            Err(ClusterError::Unavailable { reason }) => Outcome::Unavailable(reason),
            Err(ClusterError::UnknownOutcome { reason }) => Outcome::Unknown(reason),
        };
        ChangeClusterReply {
            outcome: Some(outcome),
        }
    }

    async fn change_here(&self, change: &ClusterChange, within: Duration) -> Result<Step, ClusterError> {
        let members = self.acquainted_members().await;
        if !members.leads {
            return Ok(Step::Elsewhere);
        }
        if !self.is_followed() {
            return Err(ClusterError::Unavailable {
                reason: "no majority of the replicas answers, so nothing can be changed; start those that are down first \
                         (coordinator cluster status)"
                    .to_owned(),
            });
        }
        if members.is_joint {
            return Err(refused(
                "another change of the membership is under way; try again in a moment",
            ));
        }
        match change {
            ClusterChange::TransferLeader { to } => self.transfer(to.as_deref(), &members, within).await,
            ClusterChange::RemoveMember { name } => self.remove(name, &members, within).await,
            ClusterChange::Resize { replicas } => self.resize(*replicas, &members, within).await,
        }
    }

    async fn transfer(
        &self,
        to: Option<&str>,
        members: &Members,
        within: Duration,
    ) -> Result<Step, ClusterError> {
        let next = match to {
            Some(name) => {
                let next = named(members, name)?;
                if next.id == self.raft_id {
                    return Err(refused(format!("{name} leads already")));
                }
                if !next.is_voter {
                    return Err(refused(format!(
                        "{name} is still a learner; wait until it is a voter (coordinator cluster status)"
                    )));
                }
                if !next.in_contact {
                    return Err(refused(format!("{name} does not answer; start it first, or let another one lead")));
                }
                next.clone()
            }
            None => self.furthest(members).ok_or_else(|| {
                refused(
                    "no other member could lead; start further replicas first (cluster.replicas, cluster.peers), or \
                     start those that do not answer (coordinator cluster status)",
                )
            })?,
        };
        let leader = self.transfer_to(&next, within).await?;
        match to {
            Some(name) if name != leader => {
                Err(refused(format!("{name} did not take over: {leader} leads now")))
            }
            Some(_) | None => Ok(Step::Done(format!("{leader} leads now"))),
        }
    }

    async fn remove(&self, name: &str, members: &Members, within: Duration) -> Result<Step, ClusterError> {
        let gone = named(members, name)?.clone();
        if !gone.is_voter {
            let change = ChangeMembers::RemoveNodes(BTreeSet::from([gone.id]));
            self.change_members(change, members).await?;
            return Ok(Step::Done(format!("{name} is removed; it was a learner")));
        }
        if members.voters().count() == 1 {
            return Err(refused(format!(
                "without {name} no quorum would be left; to end the cluster, stop its process, and to move it, start the \
                 replica that is to take its place first (coordinator cluster --help)"
            )));
        }
        if let Some(step) = self.without(&[gone], members, within).await? {
            return Ok(step);
        }
        Ok(Step::Done(format!(
            "{name} is removed; stop its process, if it still runs, and delete its data"
        )))
    }

    async fn resize(&self, replicas: u32, members: &Members, within: Duration) -> Result<Step, ClusterError> {
        let wanted = usize::try_from(replicas).unwrap_or(usize::MAX);
        let mut voters: Vec<&MemberView> = members.voters().collect();
        if wanted == voters.len() {
            return Ok(Step::Done(format!("the cluster has {wanted} already")));
        }
        if wanted == 0 {
            return Err(refused("a cluster has one replica at least"));
        }
        if wanted > voters.len() {
            return Err(refused(format!(
                "replicas are added by starting them, with cluster.replicas (CLUSTER_REPLICAS) set to {wanted} and \
                 cluster.peers (CLUSTER_PEERS) naming all of them; each becomes a voter by itself once it has caught up"
            )));
        }
        voters.sort_by(|a, b| natural(&a.peer.name).cmp(&natural(&b.peer.name)));
        let gone: Vec<MemberView> = voters.split_off(wanted).into_iter().cloned().collect();
        let names: Vec<String> = gone.iter().map(|member| member.peer.name.clone()).collect();
        if let Some(step) = self.without(&gone, members, within).await? {
            return Ok(step);
        }
        Ok(Step::Done(format!(
            "the cluster has {wanted} voters; stop {} and delete their data",
            names.join(", ")
        )))
    }

    /// Takes voters out, if those that are left can go on. A leader that is among them hands over, and is taken out by the
    /// next one.
    async fn without(
        &self,
        gone: &[MemberView],
        members: &Members,
        within: Duration,
    ) -> Result<Option<Step>, ClusterError> {
        let goes = |id: u64| gone.iter().any(|member| member.id == id);
        let stay: Vec<&MemberView> = members.voters().filter(|voter| !goes(voter.id)).collect();
        if !Members::have_quorum(stay.iter().copied()) {
            let silent: Vec<&str> = stay
                .iter()
                .filter(|voter| !voter.in_contact)
                .map(|voter| voter.peer.name.as_str())
                .collect();
            return Err(refused(format!(
                "of the {} voters that would be left, too few answer; start {} first",
                stay.len(),
                silent.join(", ")
            )));
        }
        if goes(self.raft_id) {
            let next = stay
                .iter()
                .filter(|voter| voter.in_contact)
                .min_by_key(|voter| voter.lag)
                .ok_or_else(no_leader)?;
            self.transfer_to(next, within).await?;
            return Ok(Some(Step::Elsewhere));
        }
        let voters: BTreeSet<u64> = stay.iter().map(|voter| voter.id).collect();
        self.change_members(ChangeMembers::ReplaceAllVoters(voters), members)
            .await?;
        Ok(None)
    }
}

fn named<'a>(members: &'a Members, name: &str) -> Result<&'a MemberView, ClusterError> {
    // A voter before the learner that is about to take its place.
    let mut same = members.all.iter().filter(|member| member.peer.name == name);
    let found = same
        .clone()
        .find(|member| member.is_voter)
        .or_else(|| same.next());
    found.ok_or_else(|| ClusterError::NoSuchMember {
        name: name.to_owned(),
        known: {
            let mut known: Vec<String> = members
                .all
                .iter()
                .map(|member| member.peer.name.clone())
                .collect();
            known.sort_by(|a, b| natural(a).cmp(&natural(b)));
            known
        },
    })
}

/// Names in the order that people expect: `replica-10` after `replica-9`.
fn natural(name: &str) -> (&str, u64, &str) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse().unwrap_or(0);
    (stem, number, name)
}

fn refused(reason: impl Into<String>) -> ClusterError {
    ClusterError::Refused {
        reason: reason.into(),
    }
}

fn no_leader() -> ClusterError {
    ClusterError::Unavailable {
        reason:
            "there is no leader, so nothing can be changed; try again when a majority of the replicas is up"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn names_are_ordered_as_people_do() {
        let mut names = vec!["coordinator-10", "coordinator-9", "b", "coordinator-0", "a"];
        names.sort_by(|a, b| natural(a).cmp(&natural(b)));
        assert_eq!(
            names,
            ["a", "b", "coordinator-0", "coordinator-9", "coordinator-10"]
        );
    }
}
