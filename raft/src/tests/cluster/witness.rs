//! What must hold at every moment: what a replica promised by its vote it never takes back.
//!
//! Votes are ordered by term, then by whom they are for, then by whether a quorum granted them. A replica that voted in a
//! term may still vote for one that comes later in that order, but never for one before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;

use super::replicas::Replica;

/// What was seen so far, of all lives of all replicas.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// The last vote of each replica.
    votes: BTreeMap<u64, (u64, u64, bool)>,
    /// Who led: cluster, term, and replica.
    leaders: BTreeSet<(String, u64, u64)>,
}

impl Witness {
    /// Looks at a replica.
    pub(super) fn look(&self, replica: &Replica) {
        let identity = replica.log.identity();
        let mut log = replica.log.clone();
        let vote = async { log.get_log_reader().await.read_vote().await };
        let Some(Ok(Some(vote))) = vote.now_or_never() else {
            return;
        };
        let vote = (vote.leader_id.term, vote.leader_id.node_id, vote.committed);
        let (me, mut seen) = (identity.raft_id, self.seen());
        let before = seen.votes.insert(me, vote).unwrap_or_default();
        assert!(
            before <= vote,
            "{me:016x} went back from vote {before:?} to {vote:?}"
        );
        let (term, leader, is_elected) = vote;
        if is_elected {
            seen.leaders.insert((identity.cluster_id.clone(), term, leader));
        }
    }

    /// The clusters that ever had a leader.
    pub(super) fn clusters(&self) -> BTreeSet<String> {
        let seen = self.seen();
        seen.leaders.iter().map(|(cluster, ..)| cluster.clone()).collect()
    }

    /// How often somebody began to lead.
    pub(super) fn reigns(&self) -> usize {
        self.seen().leaders.len()
    }

    /// The last vote of a replica: the term, for whom, and whether that one was elected.
    pub(super) fn vote_of(&self, raft_id: u64) -> Option<(u64, u64, bool)> {
        self.seen().votes.get(&raft_id).copied()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
