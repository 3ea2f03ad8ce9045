//! Keeps a condition that lasts from filling the log: one line when it begins, then one in a while.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Lets one event through, then none for a while.
#[derive(Debug)]
pub(crate) struct Throttle {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl Throttle {
    /// At most one event in `every`.
    pub(crate) const fn new(every: Duration) -> Self {
        Self {
            every,
            last: Mutex::new(None),
        }
    }

    /// Whether an event at `now` may pass.
    pub(crate) fn lets_pass(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = last.is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        if passes {
            *last = Some(now);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Throttle;

    #[test]
    fn one_event_passes_in_a_while() {
        let throttle = Throttle::new(Duration::from_secs(30));
        let start = Instant::now();
        assert!(throttle.lets_pass(start));
        assert!(!throttle.lets_pass(start + Duration::from_secs(29)));
        assert!(throttle.lets_pass(start + Duration::from_secs(30)));
        assert!(!throttle.lets_pass(start + Duration::from_secs(31)));
    }
}
