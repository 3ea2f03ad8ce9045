//! What a bench came to.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::measure::errors::{ErrorLine, ErrorTable};
use crate::measure::latency::{Latencies, LatencySummary};
use crate::report::table;

/// The result of one bench.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Whether something was measured, without an error.
    pub ok: bool,
    /// Which bench.
    pub bench: &'static str,
    /// Clients at work at the same time.
    pub clients: usize,
    /// Connections that they shared.
    pub connections: usize,
    /// Nodes that were registered.
    pub nodes: usize,
    /// With what the bench can be repeated.
    pub seed: u64,
    /// How long was measured.
    pub seconds: f64,
    /// Operations that succeeded within that time.
    pub operations: u64,
    /// The same, per second.
    pub operations_per_second: f64,
    /// Their latencies.
    pub latency: LatencySummary,
    /// What failed within that time.
    pub errors: Vec<ErrorLine>,
    /// Chunks that were registered, where the bench registers files.
    pub chunks: Option<u64>,
    /// Heartbeats, where an operation is a window of them.
    pub beats: Option<u64>,
    /// The same, per second.
    pub beats_per_second: Option<f64>,
}

/// Who made the load.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Which bench.
    pub bench: &'static str,
    /// Clients at work at the same time.
    pub clients: usize,
    /// Connections that they shared.
    pub connections: usize,
    /// Nodes that were registered.
    pub nodes: usize,
    /// Fixes the files.
    pub seed: u64,
}

impl BenchReport {
    /// Puts the report together.
    #[must_use]
    pub fn new(
        setting: Setting,
        measured: Duration,
        latencies: &Latencies,
        errors: &ErrorTable,
        chunks: Option<u64>,
    ) -> Self {
        let Setting {
            bench,
            clients,
            connections,
            nodes,
            seed,
        } = setting;
        let latency = latencies.summary();
        let seconds = measured.as_secs_f64();
        BenchReport {
            ok: latency.count > 0 && errors.total() == 0,
            bench,
            clients,
            connections,
            nodes,
            seed,
            seconds,
            operations: latency.count,
            operations_per_second: latency.count as f64 / seconds.max(0.001),
            latency,
            errors: errors.lines(),
            chunks,
            beats: None,
            beats_per_second: None,
        }
    }

    /// With the number of heartbeats that the operations came to.
    #[must_use]
    pub fn with_beats(self, beats: u64) -> Self {
        BenchReport {
            beats: Some(beats),
            beats_per_second: Some(beats as f64 / self.seconds.max(0.001)),
            ..self
        }
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BenchReport {
            bench,
            clients,
            connections,
            nodes,
            seed,
            seconds,
            operations,
            ..
        } = self;
        let setting = format!("{clients} clients, {connections} connections, {nodes} nodes, seed {seed}");
        let mut facts = vec![
            (
                "Bench",
                format!("{bench}: {}", if self.ok { "ok" } else { "FAILED" }),
            ),
            ("Setting", setting),
            ("Measured", format!("{operations} operations in {seconds:.1} s")),
        ];
        if let Some(chunks) = self.chunks {
            facts.push((
                "Chunks",
                format!("{chunks} ({:.0}/s)", chunks as f64 / seconds.max(0.001)),
            ));
        }
        if let (Some(beats), Some(per_second)) = (self.beats, self.beats_per_second) {
            facts.push(("Heartbeats", format!("{beats} ({per_second:.0}/s)")));
        }
        formatter.write_str(&table::facts(&facts))?;
        let mut cells = vec![format!("{:.1}", self.operations_per_second)];
        cells.extend(table::latency_cells(&self.latency));
        let header = ["Operations/s", "p50", "p90", "p95", "p99", "max"];
        write!(formatter, "\n{}", table::numbers(&header, &[cells]))?;
        if self.errors.is_empty() {
            Ok(())
        } else {
            write!(formatter, "\n{}", table::errors(&self.errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BenchReport, Setting};
    use crate::measure::errors::{ErrorKind, ErrorTable};
    use crate::measure::latency::Latencies;
    use crate::operation::Operation;

    const SETTING: Setting = Setting {
        bench: "register-file",
        clients: 64,
        connections: 8,
        nodes: 12,
        seed: 1,
    };

    #[test]
    fn a_bench_without_evidence_or_with_errors_is_a_failure() {
        let mut latencies = Latencies::default();
        let mut errors = ErrorTable::default();
        let report = |latencies: &Latencies, errors: &ErrorTable| {
            BenchReport::new(SETTING, Duration::from_secs(2), latencies, errors, Some(8))
        };
        assert!(!report(&latencies, &errors).ok);
        latencies.record(Duration::from_millis(3));
        let good = report(&latencies, &errors);
        assert!(good.ok);
        assert_eq!(good.operations_per_second, 0.5);
        errors.record(Operation::RegisterFile, ErrorKind::REFUSED, "full");
        let bad = report(&latencies, &errors);
        assert!(!bad.ok);
        let text = bad.to_string();
        for expected in ["register-file: FAILED", "full", "3.00 ms", "8 (4/s)"] {
            assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
        }
    }
}
