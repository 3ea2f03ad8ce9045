//! What must hold at every moment: a replica votes for one at most in a term, never goes back to an earlier one, and a term has
//! one leader at most.

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
    /// Who led, by cluster and term.
    leaders: BTreeMap<(String, u64), u64>,
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
        let vote = (vote.leader_id.term, vote.leader_id.voted_for, vote.committed);
        let (me, mut seen) = (identity.raft_id, self.seen());
        let before = seen.votes.insert(me, vote).unwrap_or_default();
        let (term, leader, is_elected) = vote;
        // Whoever voted for one may follow another that the others elected, but never votes for a second one.
        let keeps = match before {
            (before, ..) if before != term => before < term,
            (_, voted_for, was_elected) if was_elected == is_elected => voted_for == leader,
            (_, _, was_elected) => !was_elected,
        };
        assert!(keeps, "{me:016x} went back from vote {before:?} to {vote:?}");
        if is_elected {
            let reign = (identity.cluster_id.clone(), term);
            let known = *seen.leaders.entry(reign).or_insert(leader);
            assert_eq!(known, leader, "term {term} has two leaders");
        }
    }

    /// The clusters that ever had a leader.
    pub(super) fn clusters(&self) -> BTreeSet<String> {
        let seen = self.seen();
        seen.leaders.keys().map(|(cluster, _)| cluster.clone()).collect()
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
