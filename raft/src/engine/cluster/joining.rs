//! Asking to be a member of a cluster that is there, and answering that as its leader.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use openraft::type_config::AsyncRuntime;
use zephyrfs_proto::peer::join_reply::Outcome;
use zephyrfs_proto::peer::{JoinReply, JoinRequest, Replica};

use super::forming::peer_of;
use super::members::Members;
use super::{CHANGE_PATIENCE, GREETING_PATIENCE};
use crate::disk::Disk;
use crate::engine::RaftEngine;

/// From one replica that does not lead to the next that may.
const MAX_HOPS: usize = 4;

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Asks the leader to be a member; `addresses` are where it may be, or where somebody may know.
    pub(super) async fn ask_to_join(&self, mut addresses: Vec<String>) {
        for hop in 0..MAX_HOPS {
            let Some(address) = addresses.get(hop).cloned() else {
                break;
            };
            match self.ask_to_join_at(&address).await {
                Ok(Outcome::ClusterId(cluster_id)) => return self.joined(cluster_id).await,
                Ok(Outcome::LeaderAddress(leader)) if !leader.is_empty() => addresses.insert(hop + 1, leader),
                Ok(Outcome::LeaderAddress(_)) => {
                    self.stage
                        .wait("the cluster has no leader at the moment".to_owned());
                }
                Ok(Outcome::NotYet(reason)) => return self.stage.wait(reason),
                Ok(Outcome::Removed(reason)) => return self.stage.wait(reason),
                Err(reason) => self.stage.wait(format!("{address} did not answer: {reason}")),
            }
        }
    }

    async fn ask_to_join_at(&self, address: &str) -> Result<Outcome, String> {
        let request = JoinRequest {
            sender: Some(self.myself()),
        };
        let service = self.requests_to(address);
        let reply = R::timeout(CHANGE_PATIENCE + GREETING_PATIENCE, service.join(request)).await;
        let JoinReply { outcome } = reply
            .map_err(|_| "no answer in time".to_owned())?
            .map_err(|error| error.to_string())?;
        outcome.ok_or_else(|| "its answer says nothing".to_owned())
    }

    async fn joined(&self, cluster_id: String) {
        if self.log.identity().cluster_id != cluster_id {
            if !self.log.is_empty() {
                return self.stage.wait(format!(
                    "this replica has data of another cluster than {cluster_id}; delete the data to join that"
                ));
            }
            if let Err(error) = self.log.belong_to(cluster_id.clone(), false).await {
                return self
                    .stage
                    .wait(format!("the cluster's id could not be written: {error}"));
            }
            tracing::info!(cluster_id, "Joining a cluster as a learner");
        }
        self.stage.wait("the leader is about to send its log".to_owned());
    }

    /// As the leader: takes a replica in as a learner, or notes its new address.
    pub(in crate::engine) async fn take_in(&self, request: JoinRequest) -> JoinReply {
        let outcome = match request.sender {
            Some(replica) => self.decide_on(&replica).await,
            None => Outcome::NotYet("the request does not say who asks".to_owned()),
        };
        JoinReply {
            outcome: Some(outcome),
        }
    }

    async fn decide_on(&self, replica: &Replica) -> Outcome {
        let members = self.members();
        if !members.leads {
            let leader = self.leader().filter(|leader| leader.id != self.raft_id);
            return Outcome::LeaderAddress(leader.map(|leader| leader.address).unwrap_or_default());
        }
        let ours = self.log.identity().cluster_id.clone();
        if replica.raft_id == 0 || replica.name.is_empty() || replica.address.is_empty() {
            return Outcome::NotYet("a replica needs a name, an id and an address".to_owned());
        }
        if !replica.cluster_id.is_empty() && replica.has_log && replica.cluster_id != ours {
            return Outcome::NotYet(format!(
                "{} has data of cluster {}, and this is {ours}; delete its data to let it join",
                replica.name, replica.cluster_id
            ));
        }
        let peer = peer_of(replica);
        if let Some(known) = members.find(replica.raft_id) {
            if known.peer == peer {
                return Outcome::ClusterId(ours);
            }
            let change = ChangeMembers::SetNodes(BTreeMap::from([(replica.raft_id, peer)]));
            return self
                .joins(change, &members, ours, "A replica has a new address", replica)
                .await;
        }
        if replica.has_log {
            return Outcome::Removed(format!(
                "{} was removed from the cluster; stop it, or delete its data to let it join anew",
                replica.name
            ));
        }
        let mut changes = Vec::new();
        for same in members
            .all
            .iter()
            .filter(|member| member.peer.name == replica.name)
        {
            if same.in_contact {
                return Outcome::NotYet(format!(
                    "another replica called {} is up; give this one another name (REPLICA_NAME)",
                    replica.name
                ));
            }
            if !members.knows_silence() {
                return Outcome::NotYet(format!(
                    "the leader does not know yet whether the replica called {} so far is gone",
                    replica.name
                ));
            }
            if !same.is_voter {
                changes.push(ChangeMembers::RemoveNodes(BTreeSet::from([same.id])));
            }
        }
        changes.push(ChangeMembers::AddNodes(BTreeMap::from([(replica.raft_id, peer)])));
        let change = ChangeMembers::Batch(changes);
        self.joins(
            change,
            &members,
            ours,
            "A replica is taken in as a learner",
            replica,
        )
        .await
    }

    async fn joins(
        &self,
        change: ChangeMembers<u64, crate::types::Peer>,
        members: &Members,
        cluster_id: String,
        what: &str,
        replica: &Replica,
    ) -> Outcome {
        match self.change_members(change, members).await {
            Ok(()) => {
                tracing::info!(
                    replica = replica.name,
                    raft_id = format!("{:016x}", replica.raft_id),
                    address = replica.address,
                    "{what}"
                );
                Outcome::ClusterId(cluster_id)
            }
            Err(error) => Outcome::NotYet(error.to_string()),
        }
    }
}
