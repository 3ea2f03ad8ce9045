//! How much of a client's time is kept back: an answer that comes when the client has just given up tells nobody whether
//! a write took effect.

use std::time::Duration;

/// Time for an answer to be written, sent and read, at least where the client has twice as much.
const LEAST: Duration = Duration::from_millis(20);

/// The same at most: a network that is slower than this is no place for deadlines.
const MOST: Duration = Duration::from_millis(100);

/// How much earlier than its client the service gives up: a tenth of the time, within bounds.
pub fn margin(timeout: Duration) -> Duration {
    (timeout / 10).clamp(LEAST, MOST).min(timeout / 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::margin;

    #[test]
    fn a_tenth_is_kept_back_within_bounds() {
        for (timeout, kept_back) in [
            (0, 0),
            (10, 5),
            (50, 20),
            (300, 30),
            (1_000, 100),
            (3_600_000, 100),
        ] {
            let timeout = Duration::from_millis(timeout);
            assert_eq!(margin(timeout), Duration::from_millis(kept_back), "{timeout:?}");
        }
    }
}
