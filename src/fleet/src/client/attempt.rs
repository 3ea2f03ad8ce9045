//! Which connection an attempt uses, and how long to wait before the next.

use std::time::Duration;

use rand::RngExt as _;

/// The longest pause before a second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause there is.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One attempt of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The call's number: spreads calls over connections.
    pub(super) turn: usize,
    /// How often it was tried before.
    pub(super) retries: u32,
}

impl Attempt {
    /// The attempt after this one: on the next endpoint.
    #[must_use]
    pub fn next(self) -> Self {
        Attempt {
            turn: self.turn,
            retries: self.retries.saturating_add(1),
        }
    }

    /// An attempt at the place where this one succeeded.
    #[must_use]
    pub fn settled(self) -> Self {
        Attempt {
            turn: self.turn.wrapping_add(self.retries as usize),
            retries: 0,
        }
    }

    /// How long to wait before the next attempt: random, so that those who failed together do not come back
    /// together.
    #[must_use]
    pub fn pause(self) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.retries).unwrap_or(u32::MAX));
        let longest = doubled.min(LONGEST_PAUSE);
        rand::rng().random_range(longest / 10..=longest)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, FIRST_PAUSE, LONGEST_PAUSE};

    #[test]
    fn pauses_grow_to_a_limit() {
        let first = Attempt { turn: 3, retries: 0 };
        assert!(first.pause() <= FIRST_PAUSE);
        let mut attempt = first;
        for _ in 0..100 {
            attempt = attempt.next();
            assert!(attempt.pause() <= LONGEST_PAUSE);
        }
        assert!(attempt.pause() >= LONGEST_PAUSE / 10);
        assert_eq!(attempt.turn, first.turn);
    }
}
