//! The clients of a run, what each of them notes in the history, and how many operations came to what.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::client::Client;
use super::registers::Registers;
use crate::history::Recorder;
use crate::rest::Rest;

/// What operations of the clients of one replica came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Commands that were acknowledged.
    pub commands: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Operations that surely had no effect.
    pub refused: u64,
    /// Commands that may or may not have taken effect.
    pub unknown: u64,
}

/// What all clients of a run share.
pub(super) struct Shared {
    pub(super) recorder: Recorder,
    pub(super) registers: Registers,
    pub(super) replicas: Vec<(String, Rest)>,
    is_over: AtomicBool,
    counts: Mutex<BTreeMap<String, Counts>>,
    surprises: Mutex<Vec<String>>,
}

impl Shared {
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, replica: &str, change: impl FnOnce(&mut Counts)) {
        let mut counts = lock(&self.counts);
        change(counts.entry(replica.to_owned()).or_default());
    }

    /// An answer that no client should ever get.
    pub(super) fn surprise(&self, what: String) {
        lock(&self.surprises).push(what);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clients at work.
pub(super) struct Traffic {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Starts so many clients at each replica.
    pub(super) fn start(seed: u64, replicas: Vec<(String, Rest)>, clients: u64) -> Self {
        let shared = Arc::new(Shared {
            recorder: Recorder::begin(),
            registers: Registers::new(seed),
            replicas,
            is_over: AtomicBool::new(false),
            counts: Mutex::default(),
            surprises: Mutex::default(),
        });
        let homes = 0..shared.replicas.len();
        let all = homes.flat_map(|home| (0..clients).map(move |number| (home, number)));
        let start =
            |(home, number)| tokio::spawn(Client::new(Arc::clone(&shared), home, number, seed).work());
        let clients = all.map(start).collect();
        Self { shared, clients }
    }

    /// What the operations at a replica came to so far.
    pub(super) fn counts(&self, replica: &str) -> Counts {
        lock(&self.shared.counts)
            .get(replica)
            .copied()
            .unwrap_or_default()
    }

    /// Answers so far that no client should ever get.
    pub(super) fn surprises(&self) -> Vec<String> {
        lock(&self.shared.surprises).clone()
    }

    /// Notes an answer that should not be.
    pub(super) fn surprise(&self, what: String) {
        self.shared.surprise(what);
    }

    /// The history that the clients write.
    pub(super) fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// Lets the clients finish what they are at.
    #[allow(clippy::panic, reason = "a client that fails is a failed test")]
    pub(super) async fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client
                .await
                .unwrap_or_else(|error| panic!("a client failed: {error}"));
        }
    }
}
