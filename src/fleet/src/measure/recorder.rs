//! Latencies and errors of a whole run, recorded from many tasks at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::measure::errors::{ErrorKind, ErrorLine, ErrorTable};
use crate::measure::latency::{Latencies, LatencySummary};
use crate::operation::Operation;

/// Every call's latency and every error.
#[derive(Debug, Default)]
pub struct Recorder {
    latencies: [Mutex<Latencies>; Operation::ALL.len()],
    errors: Mutex<ErrorTable>,
}

impl Recorder {
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

    /// An operation's percentiles.
    #[must_use]
    pub fn latency(&self, operation: Operation) -> LatencySummary {
        self.latencies[operation as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .summary()
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
        let recorder = Recorder::default();
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
}
