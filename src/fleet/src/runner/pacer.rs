//! Spreads the registrations of all file clients over time, at a fixed rate and up to a fixed number.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Deals out times at which a file may be registered.
#[derive(Debug)]
pub struct Pacer {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: Instant,
    remaining: Option<u64>,
}

impl Pacer {
    /// `per_second` times a second (above 0), the first at `start`, and `total` in all if that is limited.
    #[must_use]
    pub fn new(per_second: f64, total: Option<u64>, start: Instant) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(Duration::MAX);
        Pacer {
            interval,
            state: Mutex::new(State {
                next: start,
                remaining: total,
            }),
        }
    }

    /// The next time; `None` when all are dealt out. Times that nobody came for are lost, so that a pause of
    /// the coordinator is not followed by a burst.
    pub fn slot(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remaining) = &mut state.remaining {
            *remaining = remaining.checked_sub(1)?;
        }
        let slot = state.next.max(now);
        match slot.checked_add(self.interval) {
            Some(next) => state.next = next,
            None => state.remaining = Some(0),
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Pacer;

    #[test]
    fn slots_keep_the_rate_and_end_with_the_total() {
        let start = Instant::now();
        let pacer = Pacer::new(2.0, Some(3), start);
        let slots: Vec<_> = std::iter::from_fn(|| pacer.slot(start))
            .map(|slot| slot - start)
            .collect();
        assert_eq!(slots, [0, 500, 1000].map(Duration::from_millis));
    }

    #[test]
    fn missed_slots_are_not_made_up_for() {
        let start = Instant::now();
        let pacer = Pacer::new(2.0, None, start);
        assert_eq!(pacer.slot(start), Some(start));
        let later = start + Duration::from_secs(10);
        assert_eq!(pacer.slot(later), Some(later));
        assert_eq!(pacer.slot(later), Some(later + Duration::from_millis(500)));
    }

    #[test]
    fn a_rate_too_low_to_ever_come_round_again_ends() {
        let start = Instant::now();
        let pacer = Pacer::new(f64::MIN_POSITIVE, None, start);
        assert_eq!(pacer.slot(start), Some(start));
        assert_eq!(pacer.slot(start), None);
    }
}
