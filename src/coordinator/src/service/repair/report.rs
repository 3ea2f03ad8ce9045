//! What repair found and does, for metrics, health and operators.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zephyrfs_core::Usage;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::repair::{Brake, Class, Tally};
use zephyrfs_core::units::{ByteSize, Timestamp};

use super::alarm;

/// What repair is doing, as far as this replica knows: only the leader looks at chunks.
#[derive(Debug, Clone, Default)]
pub struct RepairReport {
    /// Whether it is stopped, and why.
    pub brake: Option<Arc<Brake>>,
    /// The last whole pass over all chunks, on this replica.
    pub last_pass: Option<Arc<PassReport>>,
    /// When this replica first looked, in this term; `None` before.
    pub since: Option<Instant>,
    /// What is left on draining nodes.
    pub drains: Vec<(NodeId, Usage)>,
    /// When the pass that is under way began.
    pub pass_began: Option<Instant>,
    /// Chunks that it has looked at so far.
    pub looked_at: u64,
    /// Bytes that were told to be copied, by class, since this process began.
    pub bytes_told: Vec<(Class, u64)>,
    /// Whether copies are being moved from full nodes to empty ones.
    pub rebalances: bool,
    /// How many copies that are not urgent may be under way, so that clients hardly notice.
    pub window: usize,
}

/// A whole pass over all chunks.
#[derive(Debug, Clone)]
pub struct PassReport {
    /// What it found.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
    /// When it ended, by this process's clock and by the engine's.
    pub ended: (Instant, Timestamp),
}

/// Where the report is kept.
#[derive(Debug, Default)]
pub(in crate::service) struct RepairState(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The term that the report is of.
    term: u64,
    report: RepairReport,
}

impl RepairState {
    /// What this replica found as the leader of a term; `None` if it has not looked in that term.
    pub(in crate::service) fn report_of(&self, term: u64) -> Option<RepairReport> {
        let kept = self.lock();
        (kept.term == term).then(|| kept.report.clone())
    }

    /// Bytes that were told to be copied, by class, whichever the terms.
    pub(in crate::service) fn bytes_told(&self) -> Vec<(Class, u64)> {
        self.lock().report.bytes_told.clone()
    }

    /// Whether repair is stopped, in the term in which this replica leads, raising the alarm when that changes. Every round
    /// begins with this; the first of a term forgets what was found in earlier ones, which is out of date.
    pub(super) fn note_brake(&self, term: u64, brake: Option<&Brake>) {
        let mut kept = self.lock();
        if kept.term != term {
            kept.begin(term);
        }
        let report = &mut kept.report;
        match (&report.brake, brake) {
            (None, Some(brake)) => alarm::stopped(brake),
            (Some(_), None) => alarm::goes_on(),
            (None, None) | (Some(_), Some(_)) => {}
        }
        report.brake = brake.map(|brake| Arc::new(brake.clone()));
    }

    /// How many copies that are not urgent may be under way.
    pub(super) fn note_window(&self, window: usize) {
        self.lock().report.window = window;
    }

    /// A part of a pass is done.
    pub(super) fn note_part(&self, began: Instant, chunks: u64, rebalances: bool) {
        let report = &mut self.lock().report;
        report.pass_began = Some(began);
        report.looked_at = chunks;
        report.rebalances = rebalances;
    }

    /// A pass is done.
    pub(super) fn note_pass(&self, pass: PassReport) {
        let report = &mut self.lock().report;
        report.last_pass = Some(Arc::new(pass));
        report.pass_began = None;
        report.looked_at = 0;
    }

    /// Nodes were told to copy so many bytes.
    pub(super) fn note_bytes(&self, class: Class, bytes: ByteSize) {
        let told = &mut self.lock().report.bytes_told;
        match told.iter_mut().find(|(known, _)| *known == class) {
            Some((_, sum)) => *sum += bytes.get(),
            None => told.push((class, bytes.get())),
        }
    }

    /// What is left on draining nodes.
    pub(super) fn note_drains(&self, drains: Vec<(NodeId, Usage)>) {
        self.lock().report.drains = drains;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn begin(&mut self, term: u64) {
        let bytes_told = std::mem::take(&mut self.report.bytes_told);
        *self = Self {
            term,
            report: RepairReport {
                since: Some(Instant::now()),
                bytes_told,
                ..RepairReport::default()
            },
        };
    }
}
