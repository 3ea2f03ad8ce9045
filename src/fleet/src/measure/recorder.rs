//! Latencies and errors of a whole run, recorded from many tasks at once, and told apart by what the run was at.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::measure::errors::{ErrorKind, ErrorLine, ErrorTable};
use crate::measure::latency::{Latencies, LatencySummary};
use crate::operation::Operation;

type ByOperation = [Latencies; Operation::ALL.len()];

/// Every call's latency and every error.
#[derive(Debug)]
pub struct Recorder {
    /// Of the phase that the run is in.
    latencies: [Mutex<Latencies>; Operation::ALL.len()],
    phases: Mutex<Phases>,
    errors: Mutex<ErrorTable>,
}

#[derive(Debug)]
struct Phases {
    current: &'static str,
    since: Instant,
    past: Vec<(Phase, ByOperation)>,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// What the run was at.
    pub name: &'static str,
    /// For how long.
    pub lasted: Duration,
}

impl Recorder {
    /// Nothing yet, in a first phase.
    #[must_use]
    pub fn new(phase: &'static str) -> Self {
        Recorder {
            latencies: Default::default(),
            phases: Mutex::new(Phases {
                current: phase,
                since: Instant::now(),
                past: Vec::new(),
            }),
            errors: Mutex::default(),
        }
    }

    /// What is answered from now on belongs to the next phase.
    pub fn enter(&self, phase: &'static str) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self
            .latencies
            .each_ref()
            .map(|latencies| std::mem::take(&mut *latencies.lock().unwrap_or_else(PoisonError::into_inner)));
        let now = Instant::now();
        let name = std::mem::replace(&mut phases.current, phase);
        let lasted = now - std::mem::replace(&mut phases.since, now);
        phases.past.push((Phase { name, lasted }, ended));
    }

    /// An operation's percentiles in each phase, the one that the run is in included.
    #[must_use]
    pub fn by_phase(&self, operation: Operation) -> Vec<(Phase, LatencySummary)> {
        let phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let past = phases
            .past
            .iter()
            .map(|(phase, latencies)| (*phase, latencies[operation as usize].summary()));
        let current = Phase {
            name: phases.current,
            lasted: phases.since.elapsed(),
        };
        let latest = self.latencies[operation as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .summary();
        past.chain([(current, latest)]).collect()
    }

    /// A call was answered, after so long.
    pub fn answered(&self, operation: Operation, latency: Duration) {
        // The operations are declared in the order of ALL, so each one's discriminant is its place there.
        let latencies = &self.latencies[operation as usize];
        latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(latency);
    }

    /// A call failed, or its answer is no good.
    pub fn failed(&self, operation: Operation, kind: ErrorKind, message: &str) {
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(operation, kind, message);
    }

    /// An operation's percentiles over all phases.
    #[must_use]
    pub fn latency(&self, operation: Operation) -> LatencySummary {
        let phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.latencies[operation as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (_, latencies) in &phases.past {
            all.merge(&latencies[operation as usize]);
        }
        all.summary()
    }

    /// The errors, by operation and code.
    #[must_use]
    pub fn errors(&self) -> Vec<ErrorLine> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).lines()
    }

    /// How many errors in all.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).total()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Recorder;
    use crate::operation::Operation;

    #[test]
    fn each_operation_has_a_histogram_of_its_own() {
        let recorder = Recorder::new("all");
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, place);
            for _ in 0..=place {
                recorder.answered(operation, Duration::from_millis(1));
            }
        }
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(recorder.latency(operation).count, place as u64 + 1);
        }
    }

    #[test]
    fn phases_are_told_apart_and_counted_together() {
        let recorder = Recorder::new("first");
        recorder.answered(Operation::RegisterFile, Duration::from_millis(1));
        recorder.enter("second");
        recorder.answered(Operation::RegisterFile, Duration::from_millis(2));
        recorder.answered(Operation::RegisterFile, Duration::from_millis(3));
        let phases: Vec<_> = recorder
            .by_phase(Operation::RegisterFile)
            .into_iter()
            .map(|(phase, latency)| (phase.name, latency.count))
            .collect();
        assert_eq!(phases, [("first", 1), ("second", 2)]);
        let all = recorder.latency(Operation::RegisterFile);
        assert_eq!(all.count, 3);
        assert!(all.max_ms >= 3.0, "{all:?}");
    }
}
