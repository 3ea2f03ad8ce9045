//! Keys that were lately looked for on disk in vain.
//!
//! A new chunk is looked for by whoever checks the request, by whoever decides it, and by whoever writes it. Not to find a
//! key takes as many steps down the tree as to find one, so it is done once.

use std::sync::{Mutex, PoisonError};

/// A key all of whose bytes are as good as random, such as those of a digest.
pub(super) type Digest = [u8; 16];

/// Enough for what is on its way at one time: some hundreds of files.
const SLOTS: usize = 8_192;

/// Keys that do not exist, and never will in a state that does not change. Each has one slot, which a later one takes over.
pub(super) struct Absent(Mutex<Box<[Option<Digest>]>>);

impl Default for Absent {
    fn default() -> Self {
        Self(Mutex::new(Box::default()))
    }
}

impl Absent {
    /// Whether the key is known not to exist.
    pub(super) fn contains(&self, key: &Digest) -> bool {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots
            .get(slot(key))
            .is_some_and(|found| found.as_ref() == Some(key))
    }

    /// The key does not exist.
    pub(super) fn insert(&self, key: Digest) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.is_empty() {
            *slots = vec![None; SLOTS].into();
        }
        slots[slot(&key)] = Some(key);
    }
}

fn slot(key: &Digest) -> usize {
    usize::from(u16::from_le_bytes([key[0], key[1]])) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::{Absent, SLOTS};

    #[test]
    fn a_key_is_absent_until_another_takes_its_slot() {
        let absent = Absent::default();
        let [mut one, mut other] = [[7; 16]; 2];
        assert!(!absent.contains(&one), "nothing was looked for yet");
        absent.insert(one);
        assert!(absent.contains(&one));
        other[15] = 8;
        assert!(!absent.contains(&other), "it only shares the slot");
        absent.insert(other);
        assert!(!absent.contains(&one) && absent.contains(&other));
        one[0] = 9;
        absent.insert(one);
        assert!(absent.contains(&one) && absent.contains(&other));
        assert!(
            SLOTS <= usize::from(u16::MAX) + 1,
            "the slot is taken from two bytes"
        );
    }
}
