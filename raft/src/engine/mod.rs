//! The engine: proposes commands to the Raft log, waits until they are applied, and reads the rows.

mod answering;
mod cluster;
mod contact;
mod housekeeping;
mod installing;
mod proposing;
mod reading;
mod reads;
mod start;
mod status;
mod tenure;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use openraft::Raft;
use openraft::type_config::AsyncRuntime;
use tokio::sync::Semaphore;
use zephyrfs_core::units::Timestamp;

pub use cluster::Formation;
pub use start::{Options, StartError, Timing};

use crate::disk::{DatabaseKind, Disk};
use crate::error::StoreError;
use crate::log::LogStore;
use crate::machine::{Machine, StateStore};
use crate::peers::{AddressBook, PeerService, Transport, Ways, Whoami};
use crate::recent::Recent;
use crate::types::{Peer, Types};
use cluster::{Reports, Stage};
use contact::Contact;
use proposing::Forwarder;
use reading::Rounds;
use tenure::Tenure;

/// Tells the time. A parameter, so that a simulation has its own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A replica of the embedded engine.
pub struct RaftEngine<R: AsyncRuntime, D> {
    /// This engine, for what runs beside a call.
    me: Weak<Self>,
    raft: Raft<Types<R>, Machine<R>>,
    /// This replica's id in the protocol.
    raft_id: u64,
    /// How the membership is to know this replica.
    peer: Peer,
    formation: Formation,
    timing: Timing,
    transport: Arc<dyn Transport>,
    whoami: Arc<Whoami<R>>,
    addresses: Arc<AddressBook>,
    requests: Ways,
    forwarder: Forwarder<R>,
    rounds: Rounds<R>,
    recent: Arc<Recent>,
    contact: Arc<Contact<R::Instant>>,
    tenure: Tenure<R::Instant>,
    stage: Stage<R::Instant>,
    reports: Reports<R::Instant>,
    store: Arc<StateStore>,
    pub(crate) log: LogStore<R>,
    disk: D,
    clock: Clock,
    /// Bytes of commands that may be on their way at once, in units of [`proposing::ADMISSION_UNIT`].
    admission: Arc<Semaphore>,
    /// Whether everything that was committed before the start is applied again.
    recovered: AtomicBool,
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// This replica, as its peers see it.
    pub fn peer_service(self: &Arc<Self>) -> Arc<dyn PeerService>
    where
        R::Instant: Sync,
    {
        Arc::new(answering::Answering(Arc::clone(self)))
    }

    /// The last index applied here.
    fn applied_index(&self) -> u64 {
        self.store.applied_index()
    }

    /// Stops taking part, writes everything to disk, and lets the files go. Commands on their way are answered first.
    ///
    /// # Errors
    /// Why something could not be written. What was acknowledged is in the log all the same.
    pub async fn stop(&self) -> Result<(), StoreError> {
        self.admission.close();
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "The Raft task did not end in order");
        }
        let flushed = self.store.close().await;
        self.log.close().await;
        flushed
    }

    /// Why this replica cannot go on by itself, if that is so.
    pub fn failure(&self) -> Option<String> {
        use openraft::async_runtime::WatchReceiver;

        let running = self.raft.metrics().borrow_watched().running_state.clone();
        let stored = self.log.failure().or_else(|| self.store.failure());
        stored.or_else(|| running.err().map(|fatal| format!("the Raft task ended: {fatal}")))
    }

    fn bytes_on_disk(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("state", self.disk.size(DatabaseKind::State)),
            ("log", self.disk.size(DatabaseKind::Log)),
        ]
    }
}
