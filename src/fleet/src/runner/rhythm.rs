//! When each node beats. Pure.

use std::time::{Duration, Instant};

use crate::layout::NodeIndex;

/// Every node has a time of its own within the interval: beats are spread over it evenly, and stay so after
/// failures and delays.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    start: Instant,
    interval: Duration,
    nodes: usize,
}

impl Rhythm {
    /// The rhythm of so many nodes that begin at `start`.
    #[must_use]
    pub fn new(start: Instant, interval: Duration, nodes: usize) -> Self {
        Rhythm {
            start,
            interval,
            nodes,
        }
    }

    /// The node's first beat after `now`. Beats that were missed are left out.
    #[must_use]
    pub fn next(&self, node: NodeIndex, now: Instant) -> Instant {
        let interval = self.interval.as_nanos().max(1);
        let phase = interval * node.0 as u128 / self.nodes.max(1) as u128;
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        let beats = elapsed.checked_sub(phase).map_or(0, |since| since / interval + 1);
        self.start + Duration::from_nanos(u64::try_from(phase + beats * interval).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Rhythm;
    use crate::layout::NodeIndex;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn beats_are_spread_over_the_interval() {
        let start = Instant::now();
        let rhythm = Rhythm::new(start, INTERVAL, 4);
        let first = |node| rhythm.next(NodeIndex(node), start + Duration::from_millis(1)) - start;
        assert_eq!(
            [1, 2, 3, 0].map(first),
            [2_500, 5_000, 7_500, 10_000].map(Duration::from_millis)
        );
    }

    #[test]
    fn a_node_keeps_its_time_however_late_it_was() {
        let start = Instant::now();
        let rhythm = Rhythm::new(start, INTERVAL, 4);
        let next = |at| rhythm.next(NodeIndex(1), start + Duration::from_millis(at)) - start;
        assert_eq!(
            next(2_500),
            Duration::from_millis(12_500),
            "never the same beat again"
        );
        assert_eq!(next(12_499), Duration::from_millis(12_500));
        assert_eq!(
            next(47_000),
            Duration::from_millis(52_500),
            "missed beats are left out"
        );
    }
}
