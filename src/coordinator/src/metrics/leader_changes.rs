//! Counts how often another replica came to lead, or the same one anew.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntCounter;
use zephyrfs_core::engine::EngineStatus;

/// The counter, and the leadership that was seen last. Clones share both.
#[derive(Debug, Clone)]
pub(super) struct LeaderChanges {
    counter: IntCounter,
    last: Arc<Mutex<Option<Leadership>>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Leadership {
    term: u64,
    leader: String,
}

impl LeaderChanges {
    /// No leader seen yet.
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            counter: IntCounter::new(
                "coordinator_leader_changes_total",
                "Times that this replica saw another leader, or the same one elected again, since it started.",
            )?,
            last: Arc::default(),
        })
    }

    /// Looks at a status. The first leader is no change; neither is that there is none just now.
    pub(super) fn see(&self, status: &EngineStatus) {
        let Some(leader) = &status.leader else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = last
            .as_ref()
            .is_some_and(|last| last.term == status.term && last.leader == *leader);
        if is_known {
            return;
        }
        let seen = Leadership {
            term: status.term,
            leader: leader.clone(),
        };
        if last.replace(seen).is_some() {
            self.counter.inc();
        }
    }

    /// The counter.
    pub(super) fn counter(&self) -> IntCounter {
        self.counter.clone()
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::engine::EngineStatus;
    use zephyrfs_core::units::AppliedIndex;

    use super::LeaderChanges;

    fn status(term: u64, leader: Option<&str>) -> EngineStatus {
        EngineStatus {
            engine: "raft",
            cluster_id: String::new(),
            leader: leader.map(str::to_owned),
            leader_address: None,
            leads: false,
            term,
            committed: AppliedIndex::new(0),
            applied: AppliedIndex::new(0),
            failure_tolerance: 0,
            members: Vec::new(),
            not_ready: None,
            failed: None,
        }
    }

    #[test]
    fn another_leader_and_another_term_are_changes_and_a_gap_is_not() {
        let changes = LeaderChanges::new().unwrap();
        for (term, leader, count) in [
            (0, None, 0),
            (1, Some("a"), 0),
            (1, Some("a"), 0),
            (1, None, 0),
            (1, Some("a"), 0),
            (2, None, 0),
            (2, Some("b"), 1),
            (4, Some("b"), 2),
            (4, Some("b"), 2),
            (5, Some("a"), 3),
        ] {
            changes.see(&status(term, leader));
            assert_eq!(changes.counter().get(), count, "term {term}, {leader:?}");
        }
    }
}
