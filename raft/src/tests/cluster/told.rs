//! What replicas tell those who watch: the same everywhere, and what the log comes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zephyrfs_core::conformance::in_order_of_ids;
use zephyrfs_core::engine::{Engine, Events, EventsError};
use zephyrfs_core::event::{Change, ChangeKind, ClusterChanged, EventGroup};
use zephyrfs_core::units::AppliedIndex;

use super::replicas::Replica;

/// What is told of everything after an index.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    after: u64,
    groups: BTreeMap<u64, Arc<EventGroup>>,
}

impl Told {
    /// By a replica, from as early on as it can.
    pub(super) async fn by(replica: &Replica) -> Self {
        let all_after = |after| replica.events(after, usize::MAX, Duration::ZERO);
        let mut after = AppliedIndex::default();
        let events = match all_after(after).await {
            Err(EventsError::TooOld { oldest }) => {
                after = oldest;
                all_after(after).await
            }
            events => events,
        };
        let Events { groups, through } = events.unwrap();
        assert_eq!(through, replica.status().applied, "everything at once");
        Self {
            after: after.get(),
            groups: groups
                .into_iter()
                .map(|group| (group.index.get(), group))
                .collect(),
        }
    }

    /// What two replicas tell, which must be the same as far back as both know it.
    pub(super) fn agreed(self, other: Self) -> Self {
        let common = self.after.max(other.after) + 1;
        assert!(
            self.groups.range(common..).eq(other.groups.range(common..)),
            "two replicas tell different things: {self:?}\nand {other:?}"
        );
        if self.after < other.after { self } else { other }
    }

    /// The members, each time they were told of after an index.
    pub(super) fn members_after(&self, index: AppliedIndex) -> Vec<ClusterChanged> {
        let groups = self.groups.range(index.get() + 1..);
        let all = groups.flat_map(|(_, group)| group.changes.iter());
        let members = all.filter_map(|change| match change {
            Change::Cluster(members @ ClusterChanged::Members { .. }) => Some(members.clone()),
            _ => None,
        });
        members.collect()
    }

    /// Holds what is told of an index against what the rules say of it. `began` is the term that began there.
    pub(super) fn explain(&self, index: u64, began: Option<u64>, changes: Vec<Change>) {
        if index <= self.after {
            return;
        }
        let told = self
            .groups
            .get(&index)
            .map_or_else(Vec::new, |group| group.changes.to_vec());
        let (of_cluster, of_rows): (Vec<_>, Vec<_>) = told
            .into_iter()
            .partition(|change| change.kind() == ChangeKind::Cluster);
        assert_eq!(in_order_of_ids(of_rows), in_order_of_ids(changes), "at {index}");
        let terms = of_cluster.iter().find_map(|change| match change {
            Change::Cluster(ClusterChanged::TermBegan { term }) => Some(*term),
            _ => None,
        });
        assert_eq!(terms, began, "at {index}");
    }
}
