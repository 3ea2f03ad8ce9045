//! The newest beat of each node that is not recorded yet.
//!
//! As many as there are registered nodes at most, since only beats of registered nodes get here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use zephyrfs_core::engine::NodeWithBeat;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{BeatRow, NodeRow};
use zephyrfs_core::units::Timestamp;

use super::received::ReceivedBeat;

/// Beats that wait to be recorded.
#[derive(Debug, Default)]
pub(in crate::service) struct Pending(Mutex<HashMap<NodeId, ReceivedBeat>>);

impl Pending {
    /// Keeps a beat, in place of the node's earlier one. One that was held up does not replace a later one.
    pub(in crate::service) fn keep(&self, node: NodeId, beat: ReceivedBeat) {
        self.keep_all([(node, beat)]);
    }

    /// Keeps many beats, as [`Self::keep`] does one. Of those that came in together the last counts.
    pub(in crate::service) fn keep_all(&self, new: impl IntoIterator<Item = (NodeId, ReceivedBeat)>) {
        let mut beats = self.beats();
        for (node, beat) in new {
            match beats.entry(node) {
                Entry::Occupied(kept) if beat.received < kept.get().received => {}
                Entry::Occupied(mut kept) => *kept.get_mut() = beat,
                Entry::Vacant(place) => {
                    place.insert(beat);
                }
            }
        }
    }

    /// The beat that waits for a node.
    pub(in crate::service) fn of(&self, node: &NodeId) -> Option<ReceivedBeat> {
        self.beats().get(node).copied()
    }

    /// Forgets a node that was unregistered.
    pub(in crate::service) fn forget(&self, node: &NodeId) {
        self.beats().remove(node);
    }

    /// Every beat that waits, by node: among very many nodes it is several times quicker to record beats of neighbours
    /// together. They go on waiting, and being shown, until they are [`Self::recorded`].
    pub(super) fn all(&self) -> Vec<(NodeId, ReceivedBeat)> {
        let mut all: Vec<_> = self
            .beats()
            .iter()
            .map(|(node, beat)| (node.clone(), *beat))
            .collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Forgets beats that are recorded, unless a newer one came in meanwhile.
    pub(super) fn recorded(&self, recorded: &[(NodeId, ReceivedBeat)]) {
        let mut beats = self.beats();
        for (node, beat) in recorded {
            if beats.get(node).is_some_and(|kept| kept.received == beat.received) {
                beats.remove(node);
            }
        }
    }

    /// The last heartbeat of a node, counting one that waits here. `now` is the engine's time, `instant` this
    /// process's.
    pub(in crate::service) fn newest(
        &self,
        node: &NodeId,
        row: &NodeRow,
        recorded: Option<BeatRow>,
        now: Timestamp,
        instant: Instant,
    ) -> Option<BeatRow> {
        newest_of(self.beats().get(node), row, recorded, now, instant)
    }

    /// As [`Self::newest`], for many nodes.
    pub(in crate::service) fn show_in(
        &self,
        nodes: &mut [(NodeId, NodeWithBeat)],
        now: Timestamp,
        instant: Instant,
    ) {
        let beats = self.beats();
        for (id, (row, beat)) in nodes {
            *beat = newest_of(beats.get(id), row, *beat, now, instant);
        }
    }

    fn beats(&self) -> MutexGuard<'_, HashMap<NodeId, ReceivedBeat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beat that waits, if there is one: a client must read back what it just sent, even where this process's
/// clock is behind the leader's, which stamped what is recorded. What another replica recorded meanwhile is
/// hidden for a flush interval at most.
fn newest_of(
    pending: Option<&ReceivedBeat>,
    row: &NodeRow,
    recorded: Option<BeatRow>,
    now: Timestamp,
    instant: Instant,
) -> Option<BeatRow> {
    let Some(pending) = pending.filter(|_| !row.is_removed()) else {
        return recorded;
    };
    let received_at = now.minus(pending.age(instant));
    Some(BeatRow {
        at: recorded.map_or(received_at, |recorded| recorded.at.max(received_at)),
        stats: pending.stats,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
    use zephyrfs_core::units::{ByteSize, Timestamp};

    use super::{Pending, ReceivedBeat};

    fn beat(received: Instant, chunks_stored: u64) -> ReceivedBeat {
        ReceivedBeat {
            received,
            stats: stats(chunks_stored),
        }
    }

    fn stats(chunks_stored: u64) -> NodeStats {
        NodeStats {
            chunks_stored,
            ..NodeStats::default()
        }
    }

    fn row(wanted: Wanted) -> NodeRow {
        NodeRow {
            addresses: Vec::new(),
            capacity: ByteSize::ZERO,
            capabilities: BTreeMap::new(),
            registered_at: Timestamp::EPOCH,
            wanted,
            observed: Observed::Active,
            contact: zephyrfs_core::row::Contact::default(),
        }
    }

    #[test]
    fn a_beat_waits_until_it_is_recorded_and_a_newer_one_longer() {
        let pending = Pending::default();
        let start = Instant::now();
        let (a, b) = (NodeId::from("a"), NodeId::from("b"));
        pending.keep(a.clone(), beat(start, 1));
        pending.keep(b.clone(), beat(start, 2));
        let taken = pending.all();
        assert_eq!(taken.len(), 2);
        assert_eq!(
            pending.all().len(),
            2,
            "still shown while the command is on its way"
        );

        let newer = beat(start + Duration::from_millis(1), 3);
        pending.keep(a.clone(), newer);
        pending.recorded(&taken);
        assert_eq!(pending.of(&a), Some(newer));
        assert_eq!(pending.of(&b), None);
    }

    #[test]
    fn a_beat_that_was_held_up_does_not_replace_a_later_one() {
        let pending = Pending::default();
        let start = Instant::now();
        let (a, b) = (NodeId::from("a"), NodeId::from("b"));
        let later = beat(start + Duration::from_millis(1), 2);
        pending.keep(a.clone(), later);
        pending.keep(a.clone(), beat(start, 1));
        pending.keep_all([
            (a.clone(), beat(start, 1)),
            (b.clone(), beat(start, 3)),
            (b.clone(), beat(start, 4)),
        ]);
        assert_eq!(pending.of(&a), Some(later));
        assert_eq!(pending.of(&b), Some(beat(start, 4)), "the last of a window");
    }

    #[test]
    fn one_node_takes_one_place_however_often_it_beats() {
        let pending = Pending::default();
        let start = Instant::now();
        for n in 0..1_000 {
            pending.keep(NodeId::from("a"), beat(start + Duration::from_millis(n), n));
        }
        assert_eq!(pending.all().len(), 1);
        pending.forget(&NodeId::from("a"));
        assert!(pending.all().is_empty());
    }

    #[test]
    fn reads_see_the_beat_that_waits_at_a_time_that_never_runs_backwards() {
        let pending = Pending::default();
        let start = Instant::now();
        let now = Timestamp::from_millis(100_000);
        let node = NodeId::from("a");
        let beat_row = |at, chunks_stored| {
            Some(BeatRow {
                at: Timestamp::from_millis(at),
                stats: stats(chunks_stored),
            })
        };
        let later = start + Duration::from_secs(3);
        let row = row(Wanted::InService);
        let newest = |recorded| pending.newest(&node, &row, recorded, now, later);
        assert_eq!(newest(None), None);
        assert_eq!(newest(beat_row(5, 1)), beat_row(5, 1));

        pending.keep(node.clone(), beat(start, 2));
        assert_eq!(newest(None), beat_row(97_000, 2));
        assert_eq!(newest(beat_row(5, 1)), beat_row(97_000, 2));
        assert_eq!(
            newest(beat_row(97_001, 1)),
            beat_row(97_001, 2),
            "the leader's clock is ahead"
        );

        let mut listed = vec![(node.clone(), (std::sync::Arc::new(row.clone()), None))];
        pending.show_in(&mut listed, now, later);
        assert_eq!(listed[0].1.1, beat_row(97_000, 2));
    }

    #[test]
    fn a_removed_node_shows_no_beat_that_waits() {
        let pending = Pending::default();
        let now = Instant::now();
        let node = NodeId::from("a");
        pending.keep(node.clone(), beat(now, 2));
        let tombstone = row(Wanted::Removed {
            at: Timestamp::EPOCH,
            reason: String::new(),
            drain: None,
        });
        assert_eq!(
            pending.newest(&node, &tombstone, None, Timestamp::EPOCH, now),
            None
        );
    }
}
