//! What keeps the membership in order without an operator: learners that caught up become voters, one that came back with
//! an empty disk takes the place of the one it was, a change that a lost leader left half done is finished, and a replica
//! that moved says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft::{ChangeMembers, Instant};
use zephyrfs_proto::peer::join_reply::Outcome;
use zephyrfs_proto::peer::{JoinRequest, Replica};

use super::greeting::Greeted;
use super::members::{MemberView, Members};
use crate::disk::Disk;
use crate::engine::RaftEngine;
use crate::state::LogIdRecord;

/// How often to look.
const EVERY: Duration = Duration::from_millis(500);

/// A learner is promoted when it is at most so many entries behind,
const PROMOTE_LAG: u64 = 500;

/// and has been for so long.
const PROMOTE_AFTER: Duration = Duration::from_secs(10);

/// Looks of a replica that has a leader between two greetings, so that addresses stay known.
const GREET_EVERY: u32 = 20;

/// What is remembered from one look to the next.
struct Upkeep<I> {
    looks: u32,
    /// Since when each learner has kept up.
    keeping_up: BTreeMap<u64, I>,
    /// Members that the log says are silent.
    silent: BTreeSet<u64>,
    /// The change that was half done at the last look.
    half_done: Option<LogIdRecord>,
    /// Replicas of other clusters that the log tells of, with the ids of those.
    strangers: BTreeSet<(String, String)>,
}

impl<I> Upkeep<I> {
    /// Logs which members do not answer any more, and which do again.
    fn tell_of_silence(&mut self, members: &Members) {
        if !members.knows_silence() {
            return;
        }
        for member in &members.all {
            let replica = &member.peer.name;
            if member.in_contact && self.silent.remove(&member.id) {
                tracing::info!(replica, address = member.peer.address, "A replica answers again");
            } else if !member.in_contact && self.silent.insert(member.id) {
                tracing::warn!(
                    replica,
                    address = member.peer.address,
                    "A replica does not answer"
                );
            }
        }
    }
}

impl<I> Upkeep<I> {
    /// Logs which replicas that were found belong to another cluster: clients that know all addresses reach both.
    fn tell_of_strangers(&mut self, greeted: &Greeted, ours: &str) {
        let found = strangers(greeted, ours);
        for Replica {
            name,
            address,
            cluster_id,
            ..
        } in found.clone()
        {
            if self.strangers.insert((name.clone(), cluster_id.clone())) {
                tracing::warn!(
                    replica = name,
                    address,
                    cluster_id,
                    "A replica of another cluster answers where one of this cluster is looked for; stop whichever of \
                     them is not wanted and delete its data"
                );
            }
        }
        let still: BTreeSet<_> = found
            .map(|replica| (replica.name.clone(), replica.cluster_id.clone()))
            .collect();
        self.strangers.retain(|stranger| still.contains(stranger));
    }
}

/// The replicas among those that were found that belong to another cluster.
fn strangers<'a>(greeted: &'a Greeted, ours: &'a str) -> impl Iterator<Item = &'a Replica> + Clone {
    let replicas = greeted.replicas.iter().map(|(replica, _)| replica);
    replicas.filter(move |replica| {
        replica.has_log && !replica.cluster_id.is_empty() && replica.cluster_id != ours
    })
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Looks after the membership as long as the engine lives.
    pub(in crate::engine) fn look_after_members(self: &Arc<Self>) {
        let engine = Arc::downgrade(self);
        drop(R::spawn(async move {
            let mut upkeep = Upkeep {
                looks: 0,
                keeping_up: BTreeMap::new(),
                silent: BTreeSet::new(),
                half_done: None,
                strangers: BTreeSet::new(),
            };
            loop {
                R::sleep(EVERY).await;
                let Some(engine) = engine.upgrade() else { return };
                if engine.failure().is_some() {
                    return;
                }
                if engine.knows_members() {
                    engine.look(&mut upkeep).await;
                }
            }
        }));
    }

    async fn look(&self, upkeep: &mut Upkeep<R::Instant>) {
        let members = self.members();
        upkeep.looks = upkeep.looks.wrapping_add(1);
        let leader = self.leader();
        let is_led = if members.leads {
            self.is_followed()
        } else {
            leader.is_some() && self.hears_leader()
        };
        if !is_led || upkeep.looks.is_multiple_of(GREET_EVERY) {
            // Whoever moved is found again, also when nobody leads yet.
            let greeted = self.greet_all().await;
            upkeep.tell_of_strangers(&greeted, &self.log.identity().cluster_id);
            if !is_led {
                self.look_for_reasons(&greeted).await;
            }
        }
        if members.leads {
            if is_led {
                self.stage.over();
            }
            upkeep.tell_of_silence(&members);
            self.keep_order(&members, upkeep).await;
            return;
        }
        upkeep.silent.clear();
        upkeep.keeping_up.clear();
        if let Some(leader) = &leader {
            self.ask_for_reports(leader.id, &leader.address).await;
        }
        let is_known = members.find(self.raft_id).is_some_and(|me| me.peer == self.peer);
        if is_led && is_known {
            self.stage.over();
        }
        if let Some(leader) = leader.filter(|_| !is_known) {
            self.tell_where_i_am(&leader.address).await;
        }
    }

    /// When no leader is heard of, it may be because the others have become another cluster, of which the data here is not,
    /// or have removed this replica.
    async fn look_for_reasons(&self, greeted: &Greeted) {
        let ours = &self.log.identity().cluster_id;
        if let Some(Replica { name, cluster_id, .. }) = strangers(greeted, ours).next() {
            return self.stage.wait(format!(
                "{name} is of another cluster, {cluster_id}, and the data here is of {ours}; if that one is to live on, \
                 stop this replica and delete its data, and it joins anew"
            ));
        }
        let leader = greeted.replicas.iter().find_map(|(replica, reply)| {
            let knows = replica.cluster_id == *ours && !reply.leader_address.is_empty();
            (knows && reply.leader_address != self.peer.address).then_some(&reply.leader_address)
        });
        match leader {
            Some(leader) => self.tell_where_i_am(leader).await,
            None if greeted.silent.is_empty() => self.stage.over(),
            None => self.stage.wait(format!(
                "there is no leader, and not every peer answers: {}",
                greeted.silent.join(", ")
            )),
        }
    }

    /// A replica that moved, or was removed, learns from the leader what it is.
    async fn tell_where_i_am(&self, leader: &str) {
        let service = self.requests_to(leader);
        let request = JoinRequest {
            sender: Some(self.myself()),
        };
        let asked = R::timeout(super::CHANGE_PATIENCE, service.join(request)).await;
        let outcome = match asked {
            Ok(Ok(reply)) => reply.outcome,
            Ok(Err(error)) => {
                tracing::debug!(%error, "The leader did not take note of this replica's address");
                None
            }
            Err(_) => None,
        };
        match outcome {
            Some(Outcome::Removed(reason)) => self.stage.wait(reason),
            Some(Outcome::ClusterId(_)) => self.stage.over(),
            Some(Outcome::LeaderAddress(_) | Outcome::NotYet(_)) | None => {}
        }
    }

    async fn keep_order(&self, members: &Members, upkeep: &mut Upkeep<R::Instant>) {
        upkeep
            .keeping_up
            .retain(|id, _| members.find(*id).is_some_and(keeps_up));
        for learner in members
            .all
            .iter()
            .filter(|member| !member.is_voter && keeps_up(member))
        {
            upkeep
                .keeping_up
                .entry(learner.id)
                .or_insert_with(<R::Instant as Instant>::now);
        }
        let half_done = members.since.filter(|_| members.is_joint);
        let change = if half_done.is_some() {
            // One that is being made right now is between its two steps for a moment.
            if std::mem::replace(&mut upkeep.half_done, half_done) != half_done {
                return;
            }
            tracing::info!("Finishing a change of the membership that was left half done");
            Some(ChangeMembers::AddVoterIds(BTreeSet::new()))
        } else if let Some(me) = members.find(self.raft_id).filter(|me| me.peer != self.peer) {
            Some(ChangeMembers::SetNodes(BTreeMap::from([(
                me.id,
                self.peer.clone(),
            )])))
        } else {
            upkeep
                .keeping_up
                .iter()
                .filter(|(_, since)| since.elapsed() >= PROMOTE_AFTER)
                .filter_map(|(id, _)| members.find(*id))
                .find_map(|learner| promotion(learner, members))
        };
        let Some(change) = change else { return };
        if let Err(error) = self.change_members(change, members).await {
            tracing::warn!(%error, "The membership was not put in order; it is tried again");
        }
    }
}

fn keeps_up(member: &MemberView) -> bool {
    !member.is_voter && member.in_contact && member.lag <= PROMOTE_LAG
}

/// Makes a learner a voter, in place of the silent voter of its name if there is one. `None` while that would not be safe.
fn promotion(learner: &MemberView, members: &Members) -> Option<ChangeMembers<u64, crate::types::Peer>> {
    let same_name = |voter: &&MemberView| voter.peer.name == learner.peer.name;
    let replaced = members.voters().find(same_name);
    if replaced.is_some_and(|voter| voter.in_contact || !members.knows_silence()) {
        return None;
    }
    let stay = || members.voters().filter(|voter| !same_name(voter));
    if !Members::have_quorum(stay().chain([learner])) {
        return None;
    }
    let voters: BTreeSet<u64> = stay().map(|voter| voter.id).chain([learner.id]).collect();
    tracing::info!(
        replica = learner.peer.name,
        raft_id = format!("{:016x}", learner.id),
        replaces = replaced.map(|voter| format!("{:016x}", voter.id)),
        "A learner has caught up and becomes a voter"
    );
    Some(ChangeMembers::ReplaceAllVoters(voters))
}
