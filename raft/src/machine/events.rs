//! What changed lately, kept in memory for those who watch.
//!
//! Filled while entries are applied, those that are applied again after a start included: every replica has the same for
//! the same index. The oldest go when there are too many, in number or in bytes, an index as a whole. The last one never goes,
//! however large: its changes are told nowhere else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zephyrfs_core::engine::Events;
use zephyrfs_core::event::{Change, EventGroup};
use zephyrfs_core::units::{AppliedIndex, Timestamp};

/// How much is kept, besides the last index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Changes.
    changes: usize,
    /// Bytes that they take.
    bytes: usize,
}

const BOUNDS: Bounds = Bounds {
    changes: 65_536,
    bytes: 16 << 20,
};

/// The last changes of a replica.
pub(super) struct Ring {
    bounds: Bounds,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By ascending index; indexes at which nothing changed have none.
    groups: VecDeque<Arc<EventGroup>>,
    changes: usize,
    bytes: usize,
    /// Everything that changed after this index is here.
    complete_after: u64,
    /// Up to the last index that was applied.
    through: u64,
}

/// What is asked for is forgotten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooOld {
    /// The least index that can be gone on from.
    pub(super) oldest: AppliedIndex,
}

impl Ring {
    /// One that begins after the index that the state is of.
    pub(super) fn starting_at(index: u64) -> Self {
        Self::bounded(BOUNDS, index)
    }

    fn bounded(bounds: Bounds, index: u64) -> Self {
        let ring = Self {
            bounds,
            inner: Mutex::default(),
        };
        ring.start_at(index);
        ring
    }

    /// Forgets everything: the state is that of this index now.
    pub(super) fn start_at(&self, index: u64) {
        *self.inner() = Inner {
            complete_after: index,
            through: index,
            ..Inner::default()
        };
    }

    /// An index is applied, and this changed by it. Indexes come in order.
    pub(super) fn add(&self, index: u64, at: Timestamp, changes: Vec<Change>) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        inner.through = index;
        if changes.is_empty() {
            return;
        }
        let group = Arc::new(EventGroup {
            index: AppliedIndex::new(index),
            at,
            changes: changes.into(),
        });
        inner.changes += group.changes.len();
        inner.bytes += bytes_of(&group);
        inner.groups.push_back(group);
        while inner.groups.len() > 1
            && (inner.changes > self.bounds.changes || inner.bytes > self.bounds.bytes)
            && let Some(oldest) = inner.groups.pop_front()
        {
            inner.changes -= oldest.changes.len();
            inner.bytes -= bytes_of(&oldest);
            inner.complete_after = oldest.index.get();
        }
    }

    /// What changed after an index, about `limit` changes of it.
    pub(super) fn after(&self, after: AppliedIndex, limit: usize) -> Result<Events, TooOld> {
        let inner = self.inner();
        if after.get() < inner.complete_after {
            return Err(TooOld {
                oldest: AppliedIndex::new(inner.complete_after),
            });
        }
        let first = inner.groups.partition_point(|group| group.index <= after);
        let mut taken = 0;
        let mut groups = Vec::new();
        for group in inner.groups.range(first..) {
            if taken >= limit.max(1) {
                break;
            }
            taken += group.changes.len();
            groups.push(Arc::clone(group));
        }
        let is_all = first + groups.len() == inner.groups.len();
        let through = match groups.last() {
            Some(last) if !is_all => last.index,
            Some(_) | None => after.max(AppliedIndex::new(inner.through)),
        };
        Ok(Events { groups, through })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of(group: &EventGroup) -> usize {
    let beside: usize = group.changes.iter().map(Change::heap_bytes).sum();
    size_of::<EventGroup>() + size_of_val(&*group.changes) + beside
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::engine::Events;
    use zephyrfs_core::event::{Change, ClusterChanged, NodeChanged};
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::units::{AppliedIndex, Timestamp};

    use super::{Bounds, Ring, TooOld};

    const PLENTY: Bounds = Bounds {
        changes: 1_000,
        bytes: 1 << 20,
    };

    fn change(term: u64) -> Change {
        Change::Cluster(ClusterChanged::TermBegan { term })
    }

    /// A ring after ten indexes, of which the even ones changed two things each.
    fn ring(bounds: Bounds) -> Ring {
        let ring = Ring::bounded(bounds, 0);
        for index in 1..=10 {
            let changes = if index % 2 == 0 {
                vec![change(index), change(index)]
            } else {
                Vec::new()
            };
            ring.add(index, Timestamp::EPOCH, changes);
        }
        ring
    }

    fn indexes(events: &Events) -> (Vec<u64>, u64) {
        let groups = events.groups.iter().map(|group| group.index.get());
        (groups.collect(), events.through.get())
    }

    fn after(ring: &Ring, index: u64, limit: usize) -> Result<(Vec<u64>, u64), u64> {
        let events = ring.after(AppliedIndex::new(index), limit);
        events
            .map(|events| indexes(&events))
            .map_err(|TooOld { oldest }| oldest.get())
    }

    #[test]
    fn what_follows_an_index_is_given_in_order_and_never_in_part() {
        let ring = ring(PLENTY);
        assert_eq!(after(&ring, 0, 100), Ok((vec![2, 4, 6, 8, 10], 10)));
        assert_eq!(after(&ring, 4, 100), Ok((vec![6, 8, 10], 10)));
        assert_eq!(after(&ring, 5, 100), Ok((vec![6, 8, 10], 10)));
        for limit in [0, 1, 2] {
            assert_eq!(after(&ring, 0, limit), Ok((vec![2], 2)), "{limit}");
        }
        assert_eq!(after(&ring, 0, 3), Ok((vec![2, 4], 4)));
        assert_eq!(after(&ring, 10, 100), Ok((vec![], 10)));
        assert_eq!(after(&ring, 70, 100), Ok((vec![], 70)), "that is yet to come");
        ring.add(11, Timestamp::EPOCH, Vec::new());
        assert_eq!(after(&ring, 10, 100), Ok((vec![], 11)), "nothing changed at 11");
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let ring = ring(Bounds { changes: 5, ..PLENTY });
        assert_eq!(after(&ring, 6, 100), Ok((vec![8, 10], 10)));
        for too_old in 0..6 {
            assert_eq!(after(&ring, too_old, 100), Err(6));
        }
    }

    #[test]
    fn the_oldest_go_when_they_take_too_many_bytes() {
        let ring = Ring::bounded(
            Bounds {
                bytes: 100_000,
                ..PLENTY
            },
            0,
        );
        let long = |index| {
            let reason = "x".repeat(30_000);
            ring.add(
                index,
                Timestamp::EPOCH,
                vec![Change::Node(
                    NodeId::from("n"),
                    NodeChanged::Unregistered { reason },
                )],
            );
        };
        (1..=4).for_each(long);
        assert_eq!(after(&ring, 1, 100), Ok((vec![2, 3, 4], 4)));
        assert_eq!(after(&ring, 0, 100), Err(1));
        let giant = (0..2_000).map(change).collect();
        ring.add(5, Timestamp::EPOCH, giant);
        assert_eq!(after(&ring, 3, 100), Err(4));
        assert_eq!(
            after(&ring, 4, 100),
            Ok((vec![5], 5)),
            "more at one index than fits"
        );
        long(6);
        assert_eq!(after(&ring, 5, 100), Ok((vec![6], 6)));
    }

    #[test]
    fn it_begins_at_the_index_of_a_new_state() {
        let ring = ring(PLENTY);
        ring.start_at(50);
        assert_eq!(after(&ring, 10, 100), Err(50));
        assert_eq!(after(&ring, 50, 100), Ok((vec![], 50)));
    }
}
