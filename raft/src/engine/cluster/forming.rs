//! Becoming a member: of a cluster that is there, or of a new one.
//!
//! A new cluster is formed only when every expected replica answers, is empty, and has found the same set; the one with the
//! lowest name then does it. Whoever does not answer never counts as empty, and no time that passes leads to forming: two
//! halves that each form a cluster would lose one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::error::{InitializeError, RaftError};
use openraft::type_config::AsyncRuntime;
use zephyrfs_proto::peer::form_reply::Outcome;
use zephyrfs_proto::peer::{FormReply, FormRequest, GreetReply, Replica};

use super::GREETING_PATIENCE;
use super::greeting::Greeted;
use crate::disk::Disk;
use crate::engine::{RaftEngine, StartError};
use crate::log::mint_cluster_id;
use crate::types::Peer;

/// Between two looks around.
const PAUSE: Duration = Duration::from_millis(250);

/// What a look around leads to.
enum Step {
    /// A cluster is there: these may know its leader.
    Join(Vec<String>),
    /// This replica forms one with these.
    Found(Vec<Replica>),
    /// Neither, and why.
    Wait(String),
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Becomes a member of a cluster, unless this replica is one already. Takes as long as it takes.
    pub(in crate::engine) async fn become_member(&self) -> Result<(), StartError> {
        if self.has_members_in_its_log().await? {
            return self.lead_if_alone().await;
        }
        if self.formation.is_alone() {
            self.found(Vec::new()).await?;
            return self.lead_if_alone().await;
        }
        while !self.knows_members() {
            let greeted = self.greet_all().await;
            match self.next_step(greeted) {
                Step::Join(addresses) => self.ask_to_join(addresses).await,
                Step::Found(others) => self.found(others).await?,
                Step::Wait(reason) => self.stage.wait(reason),
            }
            R::sleep(PAUSE).await;
        }
        self.stage.over();
        Ok(())
    }

    /// The same as [`Self::knows_members`], asked of the Raft task itself: right after a start the metrics are still empty.
    async fn has_members_in_its_log(&self) -> Result<bool, StartError> {
        let asked = self.raft.with_raft_state(|state| {
            let members = state.membership_state.effective().membership();
            members.voter_ids().next().is_some()
        });
        asked.await.map_err(|fatal| StartError::Raft(fatal.to_string()))
    }

    /// Whether this replica knows who its cluster's members are, from its own log.
    pub(in crate::engine) fn knows_members(&self) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics
            .membership_config
            .membership()
            .voter_ids()
            .next()
            .is_some()
    }

    fn next_step(&self, greeted: Greeted) -> Step {
        let Greeted { replicas, silent } = greeted;
        let in_cluster = replicas
            .iter()
            .filter(|(replica, _)| replica.has_log && !replica.cluster_id.is_empty());
        let ways: Vec<String> = in_cluster
            .flat_map(|(replica, reply)| [reply.leader_address.clone(), replica.address.clone()])
            .filter(|address| !address.is_empty())
            .collect();
        if !ways.is_empty() {
            return Step::Join(ways);
        }
        let me = self.myself();
        let mut found: Vec<u64> = replicas.iter().map(|(replica, _)| replica.raft_id).collect();
        found.push(me.raft_id);
        found.sort_unstable();
        self.stage.set_found(if silent.is_empty() {
            found.clone()
        } else {
            Vec::new()
        });
        match self.obstacle(&me, &replicas, &silent, &found) {
            Some(reason) => Step::Wait(reason),
            None => Step::Found(replicas.into_iter().map(|(replica, _)| replica).collect()),
        }
    }

    /// Why this replica does not form a cluster now.
    fn obstacle(
        &self,
        me: &Replica,
        others: &[(Replica, GreetReply)],
        silent: &[String],
        found: &[u64],
    ) -> Option<String> {
        let expected = self.formation.expected;
        if !silent.is_empty() {
            return Some(format!("not every peer answers: {}", silent.join(", ")));
        }
        let names: BTreeSet<&str> = others
            .iter()
            .map(|(other, _)| other.name.as_str())
            .chain([me.name.as_str()])
            .collect();
        let list = || names.iter().copied().collect::<Vec<_>>().join(", ");
        if names.len() != found.len() {
            return Some(format!(
                "two replicas have one name (REPLICA_NAME); {} answer, called {}",
                found.len(),
                list()
            ));
        }
        if found.len() != expected {
            return Some(format!(
                "{} replicas answer ({}), and cluster.replicas (CLUSTER_REPLICAS) is {expected}",
                found.len(),
                list()
            ));
        }
        if let ([_], Some(ordinal)) = (&self.formation.peers[..], ordinal(&me.name))
            && usize::try_from(ordinal).unwrap_or(usize::MAX) >= expected
        {
            // A name that stands for all peers leaves out those that do not run at the moment.
            return Some(format!(
                "{} is one of more replicas than {expected}, and the first of them do not answer; set cluster.replicas \
                 (CLUSTER_REPLICAS) to the number there is to be",
                me.name
            ));
        }
        if me.has_log {
            return Some("this replica has voted in a cluster, and no other member of it answers".to_owned());
        }
        let identity = self.log.identity();
        if !identity.cluster_id.is_empty() && !identity.is_founder {
            return Some(format!(
                "this replica was to be a founding member of cluster {}, and the one that was to form it lost its data; \
                 delete this replica's data to start over",
                identity.cluster_id
            ));
        }
        for (other, reply) in others {
            let name = &other.name;
            if !other.cluster_id.is_empty() && other.cluster_id != identity.cluster_id {
                return Some(format!(
                    "{name} was to be a founding member of cluster {}",
                    other.cluster_id
                ));
            }
            if usize::try_from(reply.expected) != Ok(expected) {
                return Some(format!(
                    "{name} expects {} replicas (CLUSTER_REPLICAS), and this one {expected}",
                    reply.expected
                ));
            }
            if reply.found != found {
                return Some(format!("{name} has not found the same replicas yet"));
            }
        }
        let first = names.first().copied().unwrap_or_default();
        (first != me.name).then(|| format!("{first} is about to form the cluster"))
    }

    /// Forms a cluster with others that are empty and have agreed.
    async fn found(&self, others: Vec<Replica>) -> Result<(), StartError> {
        if self.log.identity().cluster_id.is_empty() {
            // Durable before anybody hears of it: after a crash the same cluster is formed, and no second one.
            self.log.belong_to(mint_cluster_id::<R>(), true).await?;
        }
        let cluster_id = self.log.identity().cluster_id.clone();
        for other in &others {
            if let Err(reason) = self.ask_to_form(&cluster_id, other).await {
                self.stage.wait(format!(
                    "{} did not agree to form a cluster: {reason}",
                    other.name
                ));
                return Ok(());
            }
        }
        let members: BTreeMap<u64, Peer> = others
            .iter()
            .map(|other| (other.raft_id, peer_of(other)))
            .chain([(self.raft_id, self.peer.clone())])
            .collect();
        let names: Vec<&str> = members.values().map(|peer| peer.name.as_str()).collect();
        tracing::info!(cluster_id, members = ?names, "Forming a cluster");
        match self.raft.initialize(members.clone()).await {
            // Whoever has a log or a vote is past forming.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(StartError::Raft(error.to_string())),
        }
    }

    async fn ask_to_form(&self, cluster_id: &str, other: &Replica) -> Result<(), String> {
        let request = FormRequest {
            cluster_id: cluster_id.to_owned(),
            from: self.raft_id,
            to: other.raft_id,
        };
        let service = self.requests_to(&other.address);
        let reply = R::timeout(GREETING_PATIENCE, service.form(request)).await;
        let FormReply { outcome } = reply
            .map_err(|_| "no answer in time".to_owned())?
            .map_err(|error| error.to_string())?;
        match outcome {
            Some(Outcome::Adopted(_)) => Ok(()),
            Some(Outcome::Refused(reason)) => Err(reason),
            None => Err("its answer says nothing".to_owned()),
        }
    }

    /// Becomes a founding member, if this replica is empty and nobody else asked before.
    pub(in crate::engine) async fn adopt(&self, request: FormRequest) -> FormReply {
        let identity = self.log.identity();
        let FormRequest { cluster_id, from, to } = request;
        let refusal = if to != identity.raft_id {
            Some("this is another replica by now".to_owned())
        } else if !self.log.is_empty() {
            Some("it has a log already".to_owned())
        } else if cluster_id.is_empty() {
            Some("the cluster has no id".to_owned())
        } else if !identity.cluster_id.is_empty() && identity.cluster_id != cluster_id {
            Some(format!(
                "it was asked to be a founding member of {} before",
                identity.cluster_id
            ))
        } else if identity.cluster_id == cluster_id {
            None
        } else {
            let adopted = self.log.belong_to(cluster_id.clone(), false).await;
            if adopted.is_ok() {
                tracing::info!(
                    cluster_id,
                    founder = format!("{from:016x}"),
                    "Being a founding member of a cluster"
                );
            }
            adopted.err().map(|error| error.to_string())
        };
        let outcome = match refusal {
            Some(reason) => Outcome::Refused(reason),
            None => Outcome::Adopted(zephyrfs_proto::peer::Started {}),
        };
        FormReply {
            outcome: Some(outcome),
        }
    }

    /// A sole voter need not wait for an election: nobody else could be leading.
    async fn lead_if_alone(&self) -> Result<(), StartError> {
        let is_alone = {
            let metrics = self.raft.server_metrics();
            let metrics = metrics.borrow_watched();
            let voters: Vec<u64> = metrics.membership_config.membership().voter_ids().collect();
            voters == [self.raft_id]
        };
        if is_alone {
            let elected = self.raft.trigger().elect(false).await;
            elected.map_err(|fatal| StartError::Raft(fatal.to_string()))?;
        }
        self.stage.over();
        Ok(())
    }
}

/// A replica as the membership knows it.
pub(super) fn peer_of(replica: &Replica) -> Peer {
    Peer {
        name: replica.name.clone(),
        address: replica.address.clone(),
        client_address: replica.client_address.clone(),
    }
}

/// The number at the end of the name of one of several, as Kubernetes gives them, from zero on: `coordinator-2`.
fn ordinal(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn the_number_at_the_end_of_a_name_is_its_ordinal() {
        assert_eq!(ordinal("coordinator-12"), Some(12));
        for name in [
            "a",
            "coordinator",
            "coordinator-a",
            "coordinator-",
            "coordinator12",
        ] {
            assert_eq!(ordinal(name), None, "{name}");
        }
    }
}
