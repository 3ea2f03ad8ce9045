//! Starting a replica: open what is on disk, check that it belongs together, take part.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft::{Config, Raft, SnapshotPolicy};
use tokio::sync::Semaphore;

use super::cluster::{Formation, Reports, Stage};
use super::housekeeping::keep_house;
use super::proposing::{self, Forwarder};
use super::reading::Rounds;
use super::tenure::Tenure;
use super::{Clock, RaftEngine};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::log::{LogStore, check_same_replica};
use crate::machine::{Machine, open_state};
use crate::peers::{AddressBook, PeerNetwork, Transport, Ways, Whoami};
use crate::recent::Recent;
use crate::types::Peer;
use crate::workers::Workers;

/// What a replica needs to start.
pub struct Options<D> {
    /// Its stable name and its addresses.
    pub peer: Peer,
    /// How it finds its peers.
    pub formation: Formation,
    /// The way to them.
    pub transport: Arc<dyn Transport>,
    /// Where its databases are.
    pub disk: D,
    /// Where work that waits for the disk runs.
    pub workers: Arc<dyn Workers>,
    /// What time it is.
    pub clock: Clock,
    /// Bytes of the state's pages that are kept in memory.
    pub cache_size: usize,
    /// Bytes of commands that may be on their way at once.
    pub max_pending_bytes: usize,
    /// How often, and how patiently.
    pub timing: Timing,
}

/// How often, and how patiently.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How often a leader tells the others that it leads.
    pub heartbeat: Duration,
    /// How long a replica waits, at least and at most, before it stands for election.
    pub election: (Duration, Duration),
    /// How often applied rows are written to disk.
    pub flush: Duration,
    /// Entries after which the log may be purged up to what is on disk.
    pub snapshot_every: u64,
    /// Entries that a snapshot covers are kept so far, for replicas that lag, unless they take too many bytes.
    pub keep_entries: u64,
}

impl Timing {
    /// How long a leader may be silent before what waits for its answers gives it up. One that stalls for less than an
    /// election leads on, and a connection that is given up leaves in doubt what was on its way; one that is gone is replaced,
    /// which is noticed by itself.
    pub(super) fn requests_patience(&self) -> Duration {
        self.election.1 * 4
    }

    fn to_config(&self, name: &str) -> Config {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Config {
            cluster_name: name.to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election.0),
            election_timeout_max: millis(self.election.1),
            // A replica that comes back must not make the others elect.
            enable_pre_vote: Some(true),
            // A restored leader could answer from a state that is behind what it acknowledged before.
            enable_leader_restore: Some(false),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every),
            max_in_snapshot_log_to_keep: self.keep_entries,
            // Purging in large steps spares the Raft task small ones.
            purge_batch_size: self.snapshot_every.clamp(1, 10_000),
            max_payload_entries: 1_024,
            ..Config::default()
        }
    }
}

/// Why a replica did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data.
    #[error("failed to open database: {0}")]
    Store(#[from] StoreError),
    /// The settings of the protocol.
    #[error("the raft settings do not fit together: {0}")]
    Settings(String),
    /// The protocol itself.
    #[error("the Raft task did not start: {0}")]
    Raft(String),
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Starts a replica. It takes part in its cluster from now on, if it belongs to one, and must be reachable for its
    /// peers: see [`RaftEngine::peer_service`]. Until [`RaftEngine::recovered`] the engine says that it is not ready.
    ///
    /// # Errors
    /// [`StartError`], with what to do about it.
    pub async fn start(options: Options<D>) -> Result<Arc<Self>, StartError> {
        let Options {
            peer,
            formation,
            transport,
            disk,
            workers,
            clock,
            cache_size,
            max_pending_bytes,
            timing,
        } = options;
        let log = LogStore::<R>::open(&disk, &*workers)?;
        let store = open_state(&disk, cache_size, &workers, Arc::new(log.clone()))?;
        let raft_id = log.identity().raft_id;
        check_same_replica(&disk, raft_id, log.is_purged(), store.read().header().raft_id)?;
        store.write().header_mut().raft_id = raft_id;
        let config = timing
            .to_config(&peer.name)
            .validate()
            .map_err(|e| StartError::Settings(e.to_string()))?;
        let recent = Arc::new(Recent::default());
        let machine = Machine::new(Arc::clone(&store), Arc::clone(&recent), raft_id);
        let whoami = Whoami::new(log.clone());
        let addresses = Arc::new(AddressBook::default());
        let patience = timing.election.1;
        let network = PeerNetwork {
            transport: Arc::clone(&transport),
            whoami: Arc::clone(&whoami),
            addresses: Arc::clone(&addresses),
            patience,
        };
        let raft = Raft::new(raft_id, Arc::new(config), network, log.clone(), machine)
            .await
            .map_err(|fatal| StartError::Raft(fatal.to_string()))?;
        let flush_every = timing.flush;
        let requests_patience = timing.requests_patience();
        let engine = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            raft,
            raft_id,
            peer,
            formation,
            timing,
            forwarder: Forwarder::new(Arc::clone(&transport), Arc::clone(&whoami), requests_patience),
            transport,
            whoami,
            addresses,
            requests: Ways::default(),
            rounds: Rounds::default(),
            recent,
            contact: Arc::default(),
            tenure: Tenure::default(),
            stage: Stage::default(),
            reports: Reports::default(),
            store,
            log,
            disk,
            clock,
            admission: Arc::new(Semaphore::new(max_pending_bytes / proposing::ADMISSION_UNIT)),
            recovered: AtomicBool::new(false),
        });
        keep_house::<R, D>(&engine, flush_every);
        engine.look_after_members();
        engine.tell_of_leaders();
        Ok(engine)
    }

    /// Waits until this replica is a member of a cluster, formed or joined if need be, and everything that was committed
    /// before the start is applied again. That takes as long as its peers take.
    ///
    /// # Errors
    /// Why that cannot happen.
    pub async fn recovered(&self) -> Result<(), StartError> {
        self.become_member().await?;
        self.raft
            .wait_for_recovery(None)
            .await
            .map_err(|error| StartError::Raft(error.to_string()))?;
        self.recovered.store(true, Ordering::Release);
        Ok(())
    }
}
