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
    /// When this replica began to look at chunks; `None` before.
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
pub(in crate::service) struct RepairState(Mutex<RepairReport>);

impl RepairState {
    /// The report.
    pub(in crate::service) fn report(&self) -> RepairReport {
        self.lock().clone()
    }

    /// Whether repair is stopped, raising the alarm when that changes.
    pub(super) fn note_brake(&self, brake: Option<&Brake>) {
        let mut report = self.lock();
        match (&report.brake, brake) {
            (None, Some(brake)) => alarm::stopped(brake),
            (Some(_), None) => alarm::goes_on(),
            (None, None) | (Some(_), Some(_)) => {}
        }
        report.brake = brake.map(|brake| Arc::new(brake.clone()));
    }

    /// A part of a pass is done.
    pub(super) fn note_part(&self, began: Instant, chunks: u64, rebalances: bool) {
        let mut report = self.lock();
        report.pass_began = Some(began);
        report.looked_at = chunks;
        report.rebalances = rebalances;
    }

    /// A pass is done.
    pub(super) fn note_pass(&self, pass: PassReport) {
        let mut report = self.lock();
        report.last_pass = Some(Arc::new(pass));
        report.pass_began = None;
        report.looked_at = 0;
    }

    /// Nodes were told to copy so many bytes.
    pub(super) fn note_bytes(&self, class: Class, bytes: ByteSize) {
        let mut report = self.lock();
        let known = report.bytes_told.iter_mut().find(|(known, _)| *known == class);
        match known {
            Some((_, sum)) => *sum += bytes.get(),
            None => report.bytes_told.push((class, bytes.get())),
        }
    }

    /// What is left on draining nodes.
    pub(super) fn note_drains(&self, drains: Vec<(NodeId, Usage)>) {
        self.lock().drains = drains;
    }

    /// This replica leads from now on: what it found once is out of date.
    pub(super) fn begin(&self) {
        let mut report = self.lock();
        let bytes_told = std::mem::take(&mut report.bytes_told);
        *report = RepairReport {
            since: Some(Instant::now()),
            bytes_told,
            ..RepairReport::default()
        };
    }

    fn lock(&self) -> MutexGuard<'_, RepairReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
