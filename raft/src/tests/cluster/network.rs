//! A simulated network: hosts with addresses, messages that take their time, and links that are cut one way or both.
//!
//! It behaves as TCP does: what is sent over a cut link arrives when the link is back, unless one end gave the connection up
//! before. A host without power says nothing at all; a process that ended is noticed at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::{SimInstant, SimRuntime};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::link::Link;
use super::process::Process;
use crate::peers::{Lane, PeerError, PeerService, Transport};

/// How often a connection whose link is cut looks whether it is back.
const LOOK: Duration = Duration::from_millis(15);

/// The network. Hosts are known by name; each has one process at a time.
pub(super) struct Network(Mutex<Inner>);

struct Inner {
    random: SmallRng,
    /// By address.
    endpoints: BTreeMap<String, Endpoint>,
    /// From one host to another.
    cuts: BTreeSet<(String, String)>,
    /// Hosts without power.
    dark: BTreeSet<String>,
    /// What hosts without power, or processes that are gone, used to listen at.
    vacant: BTreeMap<String, String>,
}

/// Who listens at an address.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) process: Arc<Process>,
    pub(super) service: Arc<dyn PeerService>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            random: SmallRng::seed_from_u64(seed),
            endpoints: BTreeMap::new(),
            cuts: BTreeSet::new(),
            dark: BTreeSet::new(),
            vacant: BTreeMap::new(),
        })))
    }

    /// A process listens at an address from now on.
    pub(super) fn listen(&self, address: &str, endpoint: Endpoint) {
        let mut inner = self.inner();
        inner.dark.remove(&endpoint.host);
        inner.endpoints.insert(address.to_owned(), endpoint);
    }

    /// Where somebody listens.
    fn addresses(&self) -> Vec<String> {
        self.inner().endpoints.keys().cloned().collect()
    }

    /// Nobody listens at a host's addresses any more; with `dark`, not even its kernel says so.
    pub(super) fn leave(&self, host: &str, dark: bool) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        inner.endpoints.retain(|address, endpoint| {
            if endpoint.host != host {
                return true;
            }
            inner.vacant.insert(address.clone(), host.to_owned());
            false
        });
        if dark {
            inner.dark.insert(host.to_owned());
        }
    }

    /// Cuts the way from one host to another.
    pub(super) fn cut(&self, from: &str, to: &str) {
        self.inner().cuts.insert((from.to_owned(), to.to_owned()));
    }

    /// Mends the way from one host to another.
    pub(super) fn mend(&self, from: &str, to: &str) {
        self.inner().cuts.remove(&(from.to_owned(), to.to_owned()));
    }

    /// Mends all ways.
    pub(super) fn mend_all(&self) {
        self.inner().cuts.clear();
    }

    pub(super) fn find(&self, address: &str) -> Found {
        let inner = self.inner();
        match (inner.endpoints.get(address), inner.vacant.get(address)) {
            (Some(endpoint), _) => Found::Listening(endpoint.clone()),
            (None, Some(host)) if inner.dark.contains(host) => Found::Silence,
            (None, _) => Found::Nobody,
        }
    }

    pub(super) fn is_cut(&self, from: &str, to: &str) -> bool {
        let inner = self.inner();
        inner.dark.contains(from)
            || inner.dark.contains(to)
            || inner.cuts.contains(&(from.to_owned(), to.to_owned()))
    }

    /// How long the next message takes: mostly about a millisecond, now and then very long.
    pub(super) fn delay(&self) -> Duration {
        let random = &mut self.inner().random;
        let micros = if random.random_bool(0.01) {
            random.random_range(5_000..60_000)
        } else {
            random.random_range(50..2_000)
        };
        Duration::from_micros(micros)
    }

    /// Waits until a message that is due at `at` is there.
    pub(super) async fn arrival(&self, from: &str, to: &str, at: SimInstant) {
        SimRuntime::sleep_until(at).await;
        while self.is_cut(from, to) {
            SimRuntime::sleep(LOOK).await;
        }
    }

    /// Waits until nothing came back over a connection for as long as its user is patient.
    pub(super) async fn silence(&self, from: &str, to: &str, process: &Process, patience: Duration) {
        let mut since = None;
        loop {
            let is_silent = self.is_cut(from, to) || self.is_cut(to, from) || process.is_halted();
            let now = now();
            match since {
                _ if !is_silent => since = None,
                None => since = Some(now),
                Some(since) if now >= since + patience => return,
                Some(_) => {}
            }
            SimRuntime::sleep(LOOK).await;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is at an address.
pub(super) enum Found {
    Listening(Endpoint),
    /// A host that says that nobody listens.
    Nobody,
    /// Nothing that says anything.
    Silence,
}

pub(super) fn now() -> SimInstant {
    <SimInstant as openraft::Instant>::now()
}

/// The name that stands for all replicas that run.
pub(super) const ALL_THAT_RUN: &str = "all-that-run:8092";

/// The network as the process of one host uses it.
pub(super) struct Wire {
    pub(super) network: Arc<Network>,
    pub(super) host: String,
    pub(super) process: Arc<Process>,
}

#[async_trait]
impl Transport for Wire {
    fn reach(&self, address: &str, _lane: Lane, patience: Duration) -> Arc<dyn PeerService> {
        Arc::new(Link {
            network: Arc::clone(&self.network),
            host: self.host.clone(),
            process: Arc::clone(&self.process),
            address: address.to_owned(),
            patience,
            is_connected: Arc::default(),
        })
    }

    async fn resolve(&self, name: &str) -> Result<Vec<String>, PeerError> {
        // As a name server that knows of those replicas that run, and of no others.
        if name == ALL_THAT_RUN {
            return Ok(self.network.addresses());
        }
        Err(PeerError::Unreachable(format!(
            "there is no name server that knows {name}"
        )))
    }
}
