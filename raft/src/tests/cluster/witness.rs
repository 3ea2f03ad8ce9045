//! What must hold at every moment: a replica votes once in a term, terms do not go back, and one replica leads in a term.

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
    /// For whom a replica voted, by replica and term.
    votes: BTreeMap<(u64, u64), u64>,
    /// The last term of each replica.
    terms: BTreeMap<u64, u64>,
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
        let (term, node) = (vote.leader_id.term, vote.leader_id.node_id);
        let mut seen = self.seen();
        let me = identity.raft_id;
        let before = seen.terms.insert(me, term).unwrap_or(0);
        assert!(before <= term, "{me:016x} went back from term {before} to {term}");
        let voted = *seen.votes.entry((me, term)).or_insert(node);
        assert_eq!(voted, node, "{me:016x} voted twice in term {term}");
        if vote.committed {
            let leader = *seen.leaders.entry((identity.cluster_id.clone(), term)).or_insert(node);
            assert_eq!(leader, node, "two replicas led in term {term}");
        }
    }

    /// The clusters that ever had a leader.
    pub(super) fn clusters(&self) -> BTreeSet<String> {
        self.seen().leaders.keys().map(|(cluster, _)| cluster.clone()).collect()
    }

    /// The terms in which anybody led.
    pub(super) fn terms(&self) -> BTreeSet<u64> {
        self.seen().leaders.keys().map(|(_, term)| *term).collect()
    }

    /// Those that a replica ever voted in.
    pub(super) fn last_vote_of(&self, raft_id: u64) -> Option<u64> {
        self.seen().terms.get(&raft_id).copied()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
