//! What a run of the fleet came to.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::fleet::Census;
use crate::losses::LossSummary;
use crate::measure::counters::Counts;
use crate::measure::errors::ErrorLine;
use crate::measure::latency::LatencySummary;
use crate::measure::recorder::{Phase, Recorder};
use crate::operation::Operation;
use crate::report::table;
use crate::verify::{Verification, WrongAnswer};

/// The operations whose latencies are reported.
const REPORTED: [Operation; 4] = [
    Operation::RegisterFile,
    Operation::NodeHeartbeat,
    Operation::HeartbeatStream,
    Operation::UpdateChunkLocations,
];

/// Everything that is known at the end of a run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Whether all was well: no definite failure, at least one node in, and the verification (if any) passed.
    pub ok: bool,
    /// With what the run can be repeated.
    pub seed: u64,
    /// How long the load lasted.
    pub elapsed_seconds: f64,
    /// The nodes at the end.
    pub nodes: Census,
    /// What was done.
    pub counts: Counts,
    /// How fast it was done, on average.
    pub rates: Rates,
    /// Latencies of answered calls.
    pub latencies: Vec<OperationLatency>,
    /// Latencies of RegisterFile by what the run was at; empty if it was at one thing all the time.
    pub phases: Vec<PhaseLatency>,
    /// What went with failed nodes, and how long it took to have it again.
    pub losses: Option<LossSummary>,
    /// Errors, retried ones too.
    pub errors: Vec<ErrorLine>,
    /// What the verification came to, if there was one.
    pub verification: Option<Verification>,
}

/// Averages per second over the whole run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rates {
    /// Answered heartbeats.
    pub heartbeats_per_second: f64,
    /// Acknowledged files.
    pub files_per_second: f64,
    /// Finished tasks.
    pub tasks_per_second: f64,
}

/// One operation's latencies.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OperationLatency {
    /// Which.
    pub operation: &'static str,
    /// In numbers.
    #[serde(flatten)]
    pub latency: LatencySummary,
}

/// RegisterFile in one phase.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PhaseLatency {
    /// What the run was at.
    pub phase: &'static str,
    /// For how long.
    pub seconds: f64,
    /// In numbers.
    #[serde(flatten)]
    pub latency: LatencySummary,
}

impl RunReport {
    /// Puts the report together.
    #[must_use]
    pub fn new(
        seed: u64,
        elapsed: Duration,
        nodes: Census,
        counts: Counts,
        recorder: &Recorder,
        verification: Option<Verification>,
    ) -> Self {
        let elapsed_seconds = elapsed.as_secs_f64();
        let rate = |count: u64| count as f64 / elapsed_seconds.max(0.001);
        let latency = |operation: Operation| OperationLatency {
            operation: operation.name(),
            latency: recorder.latency(operation),
        };
        let mut phases: Vec<_> = recorder
            .by_phase(Operation::RegisterFile)
            .into_iter()
            .map(|(Phase { name, lasted }, latency)| PhaseLatency {
                phase: name,
                seconds: lasted.as_secs_f64(),
                latency,
            })
            .collect();
        if phases.len() == 1 {
            phases.clear();
        }
        let verified = verification.as_ref().is_none_or(Verification::passed);
        RunReport {
            ok: verified && counts.definite_failures == 0 && nodes.starting < nodes.total,
            seed,
            elapsed_seconds,
            nodes,
            counts,
            rates: Rates {
                heartbeats_per_second: rate(counts.heartbeats),
                files_per_second: rate(counts.files_registered),
                tasks_per_second: rate(counts.tasks_replicated + counts.tasks_deleted),
            },
            latencies: REPORTED.into_iter().map(latency).collect(),
            phases,
            losses: None,
            errors: recorder.errors(),
            verification,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Census {
            total,
            starting,
            active,
            failed,
            rejected,
        } = self.nodes;
        let Counts {
            heartbeats,
            registered_again,
            files_registered,
            files_confirmed,
            files_incomplete,
            files_failed,
            chunks_uploaded,
            tasks_replicated,
            tasks_deleted,
            tasks_without_source,
            tasks_without_room,
            tasks_unreadable,
            tasks_overtaken,
            definite_failures,
        } = self.counts;
        let Rates {
            heartbeats_per_second,
            files_per_second,
            tasks_per_second,
        } = self.rates;
        vec![
            (
                "Result",
                if self.ok {
                    "ok".to_owned()
                } else {
                    "FAILED".to_owned()
                },
            ),
            (
                "Run",
                format!("{:.1} s, seed {}", self.elapsed_seconds, self.seed),
            ),
            (
                "Nodes",
                format!(
                    "{total}: {active} active, {failed} failed, {starting} not registered, {rejected} rejected"
                ),
            ),
            ("Registered again", registered_again.to_string()),
            (
                "Heartbeats",
                format!("{heartbeats} ({heartbeats_per_second:.1}/s)"),
            ),
            (
                "Files",
                format!(
                    "{files_registered} registered ({files_per_second:.1}/s), {files_confirmed} confirmed, \
                     {files_incomplete} incomplete, {files_failed} failed"
                ),
            ),
            ("Copies uploaded", chunks_uploaded.to_string()),
            (
                "Tasks done",
                format!("{tasks_replicated} replicate, {tasks_deleted} delete ({tasks_per_second:.1}/s)"),
            ),
            (
                "Tasks not done",
                format!(
                    "{tasks_without_source} without a usable source, {tasks_without_room} without room, \
                     {tasks_overtaken} overtaken, {tasks_unreadable} unreadable"
                ),
            ),
            ("Definite failures", definite_failures.to_string()),
        ]
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = self.facts();
        facts.extend(self.losses.iter().map(|losses| ("Lost", losses.to_string())));
        formatter.write_str(&table::facts(&facts))?;
        let row = |entry: &OperationLatency| {
            let mut cells = vec![entry.operation.to_owned(), entry.latency.count.to_string()];
            cells.extend(table::latency_cells(&entry.latency));
            cells
        };
        let rows: Vec<_> = self.latencies.iter().map(row).collect();
        let header = ["Latency", "Calls", "p50", "p90", "p95", "p99", "max"];
        write!(formatter, "\n{}", table::numbers(&header, &rows))?;
        if !self.phases.is_empty() {
            let row = |phase: &PhaseLatency| {
                let mut cells = vec![
                    phase.phase.to_owned(),
                    format!("{:.1} s", phase.seconds),
                    phase.latency.count.to_string(),
                ];
                cells.extend(table::latency_cells(&phase.latency));
                cells
            };
            let rows: Vec<_> = self.phases.iter().map(row).collect();
            let header = [
                "RegisterFile while",
                "",
                "Calls",
                "p50",
                "p90",
                "p95",
                "p99",
                "max",
            ];
            write!(formatter, "\n{}", table::numbers(&header, &rows))?;
        }
        if !self.errors.is_empty() {
            write!(formatter, "\n{}", table::errors(&self.errors))?;
        }
        match &self.verification {
            Some(verification) => write_verification(formatter, verification),
            None => Ok(()),
        }
    }
}

fn write_verification(formatter: &mut fmt::Formatter<'_>, verification: &Verification) -> fmt::Result {
    let Verification {
        asked,
        right,
        unfinished,
        unreachable,
        wrong,
    } = verification;
    let verdict = if verification.passed() { "passed" } else { "FAILED" };
    writeln!(
        formatter,
        "\nVerification {verdict}: {asked} chunks, {right} right, {} wrong, {unfinished} not yet on every node listed, \
         {unreachable} only on failed nodes",
        wrong.len()
    )?;
    for WrongAnswer { chunk_id, problem } in wrong {
        writeln!(formatter, "  {chunk_id}: {problem}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RunReport;
    use crate::fleet::Census;
    use crate::measure::counters::{Counters, Counts};
    use crate::measure::errors::ErrorKind;
    use crate::measure::recorder::Recorder;
    use crate::operation::Operation;
    use crate::verify::{Verification, WrongAnswer};

    const NODES: Census = Census {
        total: 3,
        starting: 0,
        active: 3,
        failed: 0,
        rejected: 0,
    };

    fn report(nodes: Census, counts: Counts, verification: Option<Verification>) -> RunReport {
        let recorder = Recorder::new("all");
        recorder.answered(Operation::RegisterFile, Duration::from_millis(5));
        recorder.failed(Operation::NodeHeartbeat, ErrorKind::REFUSED, "who are you?");
        RunReport::new(7, Duration::from_secs(10), nodes, counts, &recorder, verification)
    }

    #[test]
    fn a_run_is_a_failure_for_each_of_its_reasons() {
        let counts = Counters::default().counts();
        let passed = Verification {
            asked: 1,
            right: 1,
            ..Verification::default()
        };
        assert!(report(NODES, counts, None).ok);
        assert!(report(NODES, counts, Some(passed)).ok);
        assert!(!report(NODES, counts, Some(Verification::default())).ok);
        assert!(
            !report(
                NODES,
                Counts {
                    definite_failures: 1,
                    ..counts
                },
                None
            )
            .ok
        );
        assert!(
            !report(
                Census {
                    starting: 3,
                    active: 0,
                    ..NODES
                },
                counts,
                None
            )
            .ok
        );
    }

    #[test]
    fn the_text_shows_results_errors_and_wrong_answers() {
        let wrong = WrongAnswer {
            chunk_id: "c1".to_owned(),
            problem: "n2 lies".to_owned(),
        };
        let verification = Verification {
            asked: 1,
            wrong: vec![wrong],
            ..Verification::default()
        };
        let counts = Counts {
            heartbeats: 50,
            ..Counts::default()
        };
        let text = report(NODES, counts, Some(verification)).to_string();
        for expected in [
            "FAILED",
            "50 (5.0/s)",
            "who are you?",
            "c1: n2 lies",
            "5.00 ms",
            "REFUSED",
        ] {
            assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
        }
    }

    #[test]
    fn the_json_has_names_for_everything() {
        let json = serde_json::to_value(report(NODES, Counts::default(), None)).unwrap();
        assert_eq!(json["ok"], true);
        assert_eq!(json["nodes"]["active"], 3);
        assert_eq!(json["latencies"][0]["operation"], "RegisterFile");
        assert_eq!(json["latencies"][0]["count"], 1);
        assert_eq!(json["errors"][0]["code"], "REFUSED");
        assert_eq!(json["errors"][0]["operation"], "NodeHeartbeat");
        assert!(json["verification"].is_null());
    }
}
