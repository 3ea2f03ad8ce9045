//! The service itself: what its operations share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use zephyrfs_core::Engine;
use zephyrfs_core::repair::BrakePolicy;

use super::admission::Admission;
use super::heartbeats::{Flusher, Pending, Urgent};
use super::ids::IdSource;
use super::inventory;
use super::limits::Limits;
use super::picture::Pictures;
use super::policy::Policy;
use super::promises::Promises;
use super::repair::RepairState;
use super::watch::Watchers;

/// The operations of the coordinator. One for each process, shared by the APIs.
pub struct Service {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) limits: Limits,
    pub(super) policy: Policy,
    pub(super) data_dir: PathBuf,
    pub(super) ids: IdSource,
    pub(super) admission: Admission,
    pub(super) pending_beats: Pending,
    pub(super) urgent_beats: Urgent,
    pub(super) pictures: Pictures,
    pub(super) promises: Promises,
    pub(super) brake_policy: BrakePolicy,
    pub(super) repair_state: RepairState,
    pub(super) watchers: Arc<Watchers>,
    /// Whose turn it is to write a backup.
    pub(super) backup_turn: Arc<Semaphore>,
    /// For nodes whose inventories are being taken.
    pub(super) inventory_places: Arc<inventory::Places>,
}

impl Service {
    /// A service over an engine. Backups go to `backups` in `data_dir`.
    pub fn new(
        engine: Arc<dyn Engine>,
        limits: Limits,
        policy: Policy,
        data_dir: PathBuf,
        ids: IdSource,
    ) -> Self {
        Self {
            admission: Admission::new(limits.max_pending_writes),
            watchers: Arc::new(Watchers::new(limits.max_watchers)),
            urgent_beats: Urgent::new(limits.max_pending_writes),
            pending_beats: Pending::default(),
            pictures: Pictures::default(),
            promises: Promises::default(),
            brake_policy: policy.brake(),
            repair_state: RepairState::default(),
            backup_turn: Arc::new(Semaphore::new(1)),
            inventory_places: Arc::default(),
            engine,
            limits,
            policy,
            data_dir,
            ids,
        }
    }

    /// The limits that requests are held to.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Records the heartbeats that came in, once in every flush interval, until `stop` is cancelled, and then
    /// what is left. Every process runs exactly one of these: without it heartbeats are taken and never
    /// recorded.
    pub async fn flush_heartbeats_until(&self, stop: CancellationToken) {
        let flusher = Flusher {
            engine: &self.engine,
            ids: &self.ids,
            pending: &self.pending_beats,
            urgent: &self.urgent_beats,
            inactive_after: self.policy.node_inactive_after.into(),
        };
        flusher.run(self.policy.heartbeat_flush, stop).await;
    }
}
