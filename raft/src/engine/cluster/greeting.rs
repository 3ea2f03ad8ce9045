//! Asking peers who they are, and being asked.

use std::collections::BTreeSet;

use openraft::async_runtime::WatchReceiver;
use openraft::type_config::AsyncRuntime;
use zephyrfs_proto::peer::{GreetReply, GreetRequest, Replica};

use super::GREETING_PATIENCE;
use crate::disk::Disk;
use crate::engine::RaftEngine;

/// What a round of greetings found.
pub(super) struct Greeted {
    /// Other replicas that answered, each once.
    pub(super) replicas: Vec<(Replica, GreetReply)>,
    /// Those that did not, in words.
    pub(super) silent: Vec<String>,
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// This replica, as it says itself.
    pub(in crate::engine) fn myself(&self) -> Replica {
        let identity = self.log.identity();
        Replica {
            name: self.peer.name.clone(),
            raft_id: identity.raft_id,
            address: self.peer.address.clone(),
            client_address: self.peer.client_address.clone(),
            cluster_id: identity.cluster_id.clone(),
            has_log: !self.log.is_empty(),
        }
    }

    /// Answers a greeting.
    pub(in crate::engine) fn greeted(&self, request: &GreetRequest) -> GreetReply {
        if let Some(sender) = &request.sender {
            self.note_address(sender);
        }
        GreetReply {
            replica: Some(self.myself()),
            expected: u32::try_from(self.formation.expected).unwrap_or(u32::MAX),
            found: self.stage.found(),
            leader_address: self.leader().map(|leader| leader.address).unwrap_or_default(),
        }
    }

    /// Greets every peer there may be, all at once.
    pub(super) async fn greet_all(&self) -> Greeted {
        let (addresses, mut silent) = self.where_to_look().await;
        let greetings = addresses.into_iter().map(async |address| {
            let service = self.requests_to(&address);
            let request = GreetRequest {
                sender: Some(self.myself()),
            };
            let reply = R::timeout(GREETING_PATIENCE, service.greet(request)).await;
            let reply = match reply {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer in time".to_owned()),
            };
            (address, reply)
        });
        let mut replicas: Vec<(Replica, GreetReply)> = Vec::new();
        for (address, reply) in futures::future::join_all(greetings).await {
            let reply = reply.map(|reply| (reply.replica.clone(), reply));
            match reply {
                Ok((Some(replica), reply)) => {
                    // One replica may be found at several addresses, and this one among them.
                    let is_known = replicas.iter().any(|(other, _)| other.raft_id == replica.raft_id);
                    if replica.raft_id != self.raft_id && !is_known {
                        self.note_address(&replica);
                        replicas.push((replica, reply));
                    }
                }
                Ok((None, _)) => silent.push(format!("{address} (it does not say who it is)")),
                Err(reason) => silent.push(format!("{address} ({reason})")),
            }
        }
        Greeted { replicas, silent }
    }

    /// The configured peers and the members, and which of them cannot be looked up.
    async fn where_to_look(&self) -> (BTreeSet<String>, Vec<String>) {
        let mut addresses: BTreeSet<String> = BTreeSet::new();
        let mut silent = Vec::new();
        match &self.formation.peers[..] {
            [name] => match R::timeout(GREETING_PATIENCE, self.transport.resolve(name)).await {
                Ok(Ok(found)) => addresses.extend(found),
                Ok(Err(error)) => silent.push(error.to_string()),
                Err(_) => silent.push(format!("{name} (looking it up took too long)")),
            },
            peers => addresses.extend(peers.iter().cloned()),
        }
        let members = self.raft.server_metrics();
        let members = members.borrow_watched();
        let members = members.membership_config.membership();
        let others = members.nodes().filter(|(id, _)| **id != self.raft_id);
        addresses.extend(others.map(|(_, peer)| peer.address.clone()));
        (addresses, silent)
    }

    /// A replica said where it is.
    fn note_address(&self, replica: &Replica) {
        if replica.raft_id != self.raft_id && !replica.address.is_empty() {
            self.addresses.note(replica.raft_id, &replica.address);
        }
    }
}
