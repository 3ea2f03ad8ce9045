//! What this instance wrote and what is not counted yet.
//!
//! Totals are read a few times a second. Whoever asks the instance that wrote something is to find it counted at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zephyrfs_core::Totals;

use crate::columns::Uuid;
use crate::tables::events::Delta;

/// Own writes since the totals were read last, by the ids of their events.
#[derive(Debug, Default)]
pub(super) struct OwnWrites(Mutex<BTreeMap<Uuid, Delta>>);

impl OwnWrites {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Delta>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written. What changes no count needs no remembering.
    pub(super) fn add(&self, id: Uuid, delta: &Delta) {
        if delta.iter().any(|delta| *delta != 0) {
            self.lock().insert(id, *delta);
        }
    }

    /// All of them.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// The totals that `note` notes count those that were written before they were read.
    pub(super) fn counted(&self, before: &[Uuid], note: impl FnOnce()) {
        let mut own = self.lock();
        for id in before {
            own.remove(id);
        }
        note();
    }

    /// Totals with these writes; `counted` answers those without.
    pub(super) fn totals(&self, counted: impl FnOnce() -> Totals) -> Totals {
        let own = self.lock();
        let mut counts = counted().to_counts();
        for delta in own.values() {
            for (count, delta) in counts.iter_mut().zip(delta) {
                *count = count.saturating_add_signed(*delta);
            }
        }
        Totals::from_counts(counts)
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::Totals;

    use super::OwnWrites;
    use crate::columns::Uuid;

    #[test]
    fn own_writes_count_until_they_are_counted() {
        let own = OwnWrites::default();
        let mut delta = [0; Totals::COUNTS];
        delta[4] = 1;
        let (one, two) = (Uuid([1; 16]), Uuid([2; 16]));
        own.add(one, &delta);
        own.add(two, &delta);
        own.add(Uuid([3; 16]), &[0; Totals::COUNTS]);
        assert_eq!(own.totals(Totals::default).files, 2);
        assert_eq!(own.ids(), [one, two]);
        own.counted(&[one], || {});
        assert_eq!(own.totals(Totals::default).files, 1);
    }
}
