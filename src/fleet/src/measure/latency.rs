//! Latencies in a histogram of fixed size, and their percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The largest latency that is told apart; longer ones count as this one.
const LONGEST: Duration = Duration::from_secs(600);

/// Latencies in microseconds, to three significant digits.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// A histogram in numbers, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatencySummary {
    /// How many calls were measured.
    pub count: u64,
    /// The median.
    pub p50_ms: f64,
    /// 90 % were at most this.
    pub p90_ms: f64,
    /// 95 % were at most this.
    pub p95_ms: f64,
    /// 99 % were at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Default for Latencies {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants, and within what the histogram allows"
    )]
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 3);
        Latencies(histogram.expect("constant bounds"))
    }
}

impl Latencies {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        self.0
            .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds everything from another histogram.
    pub fn merge(&mut self, other: &Latencies) {
        self.0 += &other.0;
    }

    /// The percentiles.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        let at = |quantile: f64| milliseconds(self.0.value_at_quantile(quantile));
        LatencySummary {
            count: self.0.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: milliseconds(self.0.max()),
        }
    }
}

fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, LatencySummary};

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let mut latencies = Latencies::default();
        let mut other = Latencies::default();
        for millisecond in 1..=50 {
            latencies.record(Duration::from_millis(millisecond));
            other.record(Duration::from_millis(millisecond + 50));
        }
        latencies.merge(&other);
        let LatencySummary {
            count,
            p50_ms,
            p90_ms,
            p95_ms,
            p99_ms,
            max_ms,
        } = latencies.summary();
        assert_eq!(count, 100);
        for (measured, expected) in [
            (p50_ms, 50.0),
            (p90_ms, 90.0),
            (p95_ms, 95.0),
            (p99_ms, 99.0),
            (max_ms, 100.0),
        ] {
            assert!(
                (measured - expected).abs() <= expected / 1000.0,
                "{measured} instead of {expected}"
            );
        }
    }

    #[test]
    fn an_absurd_latency_is_counted_as_the_longest() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::MAX);
        assert_eq!(latencies.summary().count, 1);
        assert!(latencies.summary().max_ms >= 600_000.0);
    }

    #[test]
    fn nothing_measured_is_all_zeros() {
        assert_eq!(Latencies::default().summary(), LatencySummary::default());
    }
}
