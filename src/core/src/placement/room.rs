//! How much a node can still take: the fill ladder.

use crate::units::ByteSize;

/// From this share of its space on, in permille, a node is chosen only when no other will do.
const LAST_CHOICE_AT: u64 = 850;
/// From this share of its space on, in permille, a node takes no new chunks.
const FULL_AT: u64 = 900;

/// From this share of its space on, in permille, a node takes no further copies of chunks that have too few either.
const FULL_FOR_REPAIR_AT: u64 = 950;

/// What a node is to take something for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new chunk.
    New,
    /// A further copy of a chunk that has too few: what is lost otherwise matters more than room to breathe.
    Repair,
}

/// What a node can still take, in bytes, as a function of what it took since this was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// What fits in all.
    free: u64,
    /// Having taken this much, the node is a last choice.
    last_choice_after: u64,
    /// Having taken this much, it is full.
    full_after: u64,
    /// Having taken this much, it is full for repair, too.
    full_for_repair_after: u64,
    /// Whether it is a last choice however empty it is, and nothing for repair.
    is_held: bool,
}

/// How well a chunk fits a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Well,
    LastChoice,
    No,
}

impl Room {
    /// Of a node that can take nothing.
    pub(super) const NONE: Self = Self {
        free: 0,
        last_choice_after: 0,
        full_after: 0,
        full_for_repair_after: 0,
        is_held: false,
    };

    /// Of a node that uses so much of its `total` space and has so much free. Both are counted, since a node may have
    /// less free than it offers.
    pub(super) fn new(total: ByteSize, used: ByteSize, free: ByteSize) -> Self {
        let until = |permille: u64| {
            let limit = (u128::from(total.get()) * u128::from(permille)).div_ceil(1_000);
            // A share of a u64 fits a u64.
            (limit as u64).saturating_sub(used.get())
        };
        Self {
            free: free.get(),
            last_choice_after: until(LAST_CHOICE_AT),
            full_after: until(FULL_AT),
            full_for_repair_after: until(FULL_FOR_REPAIR_AT),
            is_held: false,
        }
    }

    /// The same of a node that is held down.
    pub(super) const fn held(self) -> Self {
        Self {
            is_held: true,
            ..self
        }
    }

    /// What is free before anything is taken.
    pub(super) const fn free(&self) -> u64 {
        self.free
    }

    /// What is still free after `taken` bytes.
    pub(super) const fn left(&self, taken: u64) -> u64 {
        self.free.saturating_sub(taken)
    }

    /// What can still be taken before the node is too full, or has nothing free.
    pub(super) fn until_full(&self, purpose: Purpose) -> u64 {
        let full_after = match purpose {
            Purpose::New => self.full_after,
            Purpose::Repair => self.full_for_repair_after,
        };
        full_after.min(self.free)
    }

    /// How well a chunk of `size` bytes fits after `taken` bytes.
    pub(super) const fn fit(&self, taken: u64, size: u64, purpose: Purpose) -> Fit {
        let (full_after, is_barred) = match purpose {
            Purpose::New => (self.full_after, false),
            Purpose::Repair => (self.full_for_repair_after, self.is_held),
        };
        if is_barred || taken >= full_after || self.free < taken.saturating_add(size) {
            Fit::No
        } else if self.is_held || taken >= self.last_choice_after {
            Fit::LastChoice
        } else {
            Fit::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, Purpose, Room};
    use crate::units::ByteSize;

    fn room(total: u64, used: u64, free: u64) -> Room {
        Room::new(ByteSize::new(total), ByteSize::new(used), ByteSize::new(free))
    }

    #[test]
    fn the_ladder_has_its_steps_at_85_and_90_percent() {
        for (used, fit) in [
            (0, Fit::Well),
            (849, Fit::Well),
            (850, Fit::LastChoice),
            (899, Fit::LastChoice),
            (900, Fit::No),
            (2_000, Fit::No),
        ] {
            assert_eq!(room(1_000, used, 500).fit(0, 1, Purpose::New), fit, "{used}");
            assert_eq!(
                room(1_000, 0, 10_000).fit(used, 1, Purpose::New),
                fit,
                "{used} taken"
            );
        }
    }

    #[test]
    fn a_chunk_fits_to_the_last_byte() {
        assert_eq!(room(1_000, 0, 100).fit(40, 60, Purpose::New), Fit::Well);
        assert_eq!(room(1_000, 0, 100).fit(40, 61, Purpose::New), Fit::No);
        assert_eq!(
            room(1_000, 0, 100).fit(101, 0, Purpose::New),
            Fit::No,
            "more was taken than there was"
        );
        assert_eq!(room(1_000, 0, 100).fit(u64::MAX, u64::MAX, Purpose::New), Fit::No);
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        let all = i64::MAX as u64;
        assert_eq!(room(all, 0, all).fit(0, all, Purpose::New), Fit::Well);
        assert_eq!(
            room(0, 0, 0).fit(0, 0, Purpose::New),
            Fit::No,
            "a node that offers nothing is full"
        );
    }
}
