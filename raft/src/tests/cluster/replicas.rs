//! Replicas on simulated hosts: started, halted, killed, wiped and moved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use zephyrfs_core::engine::{Engine, EngineStatus};
use zephyrfs_core::units::Timestamp;

use super::network::{ALL_THAT_RUN, Endpoint, Network, Wire, now};
use super::process::{Gone, Process, ProcessRuntime};
use super::slow_disk::SlowDisk;
use super::witness::Witness;
use crate::engine::{Formation, Options, RaftEngine, Timing};
use crate::tests::power::PowerDisk;
use crate::tests::support::options;
use crate::types::Peer;

pub(super) type Replica = RaftEngine<ProcessRuntime, PowerDisk>;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The process is killed: what it wrote stays, synced or not.
    Kill,
    /// The power fails: what was not synced may be lost, and the host says nothing.
    PowerCut,
}

/// A host with a disk, and a replica on it while it runs.
struct Host {
    name: String,
    address: String,
    disk: PowerDisk,
}

/// A replica that runs.
#[derive(Clone)]
pub(super) struct Running {
    process: Arc<Process>,
    pub(super) engine: Arc<Replica>,
}

impl Running {
    /// Asks it something, in its process.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(Arc<Replica>) -> BoxFuture<'static, T>,
    ) -> BoxFuture<'static, Result<T, Gone>> {
        let (process, asked) = (Arc::clone(&self.process), ask(Arc::clone(&self.engine)));
        Box::pin(async move { process.run(asked).await })
    }
}

/// Where clients find the replicas that run.
#[derive(Clone, Default)]
pub(super) struct Doors(Arc<Mutex<BTreeMap<String, Running>>>);

impl Doors {
    /// The replica of a host, if it runs.
    pub(super) fn find(&self, name: &str) -> Option<Running> {
        self.0.lock().unwrap().get(name).cloned()
    }

    /// Any replica that runs.
    pub(super) fn any(&self, random: &mut SmallRng) -> Option<Running> {
        let doors = self.0.lock().unwrap();
        let chosen = below(random, doors.len().max(1) as u64);
        doors.values().nth(usize::try_from(chosen).unwrap()).cloned()
    }
}

/// All hosts, and the network between them.
pub(super) struct World {
    pub(super) network: Arc<Network>,
    random: SmallRng,
    hosts: BTreeMap<String, Host>,
    doors: Doors,
    /// How many replicas form a cluster.
    expected: usize,
    /// Where replicas look for each other.
    peers: Vec<String>,
    /// Every process there ever was.
    processes: Vec<(String, Arc<Process>)>,
    witness: Witness,
    /// Why replicas failed by themselves.
    failures: Arc<Mutex<Vec<String>>>,
}

/// How the replicas of these tests are timed.
pub(super) fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(80),
        election: (Duration::from_millis(400), Duration::from_millis(800)),
        flush: Duration::from_millis(150),
        snapshot_every: 1_000_000,
        keep_entries: 1_000_000,
    }
}

impl World {
    /// Hosts `a`, `b`, `c` and so on, all off, whose replicas form one cluster.
    pub(super) fn new(seed: u64, replicas: usize) -> Self {
        let mut world = Self {
            network: Network::new(seed ^ 0x6e65_7477),
            random: SmallRng::seed_from_u64(seed ^ 0x776f_726c),
            hosts: BTreeMap::new(),
            doors: Doors::default(),
            expected: replicas,
            peers: Vec::new(),
            processes: Vec::new(),
            witness: Witness::default(),
            failures: Arc::default(),
        };
        for name in ('a'..).take(replicas).map(String::from) {
            world.peers.push(format!("{name}:8092"));
            world.add(&name);
        }
        world
    }

    /// So many replicas form a cluster, and find each other by a name.
    pub(super) fn found_by_name(seed: u64, expected: usize) -> Self {
        let mut world = Self::new(seed, 0);
        world.expected = expected;
        world.peers.push(ALL_THAT_RUN.to_owned());
        world
    }

    /// A further host, off.
    pub(super) fn add(&mut self, name: &str) {
        let host = Host {
            name: name.to_owned(),
            address: format!("{name}:8092"),
            disk: PowerDisk::default(),
        };
        self.hosts.insert(name.to_owned(), host);
    }

    /// The names of all hosts.
    pub(super) fn names(&self) -> Vec<String> {
        self.hosts.keys().cloned().collect()
    }

    /// The hosts whose replicas run, halted ones too.
    pub(super) fn running(&self) -> Vec<String> {
        self.doors.0.lock().unwrap().keys().cloned().collect()
    }

    /// The id of a replica in the protocol.
    pub(super) fn raft_id(&self, name: &str) -> u64 {
        self.engine(name).log.identity().raft_id
    }

    /// Where clients find the replicas.
    pub(super) fn doors(&self) -> Doors {
        self.doors.clone()
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        self.doors.find(name).is_some()
    }

    /// The replica of a host. It may only be asked what needs no waiting; everything else is for [`World::on`].
    pub(super) fn engine(&self, name: &str) -> Arc<Replica> {
        self.doors.find(name).unwrap().engine
    }

    pub(super) fn status(&self, name: &str) -> EngineStatus {
        self.engine(name).status()
    }

    pub(super) fn random(&mut self) -> &mut SmallRng {
        &mut self.random
    }

    pub(super) const fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Starts a replica, which is a member sooner or later.
    pub(super) async fn start(&mut self, name: &str) {
        let seed = self.random.next_u64();
        assert!(!self.is_running(name), "{name} runs already");
        let host = &self.hosts[name];
        let process = Arc::new(Process::default());
        let wire = Wire {
            network: Arc::clone(&self.network),
            host: name.to_owned(),
            process: Arc::clone(&process),
        };
        let options: Options<PowerDisk> = Options {
            peer: Peer {
                name: host.name.clone(),
                address: host.address.clone(),
                client_address: format!("{name}:8080"),
            },
            formation: Formation {
                peers: self.peers.clone(),
                expected: self.expected,
            },
            transport: Arc::new(wire),
            workers: Arc::new(SlowDisk::new(seed)),
            clock: Arc::new(|| Timestamp::from_millis(now().elapsed_since_start().as_millis() as u64)),
            ..options(host.disk.clone(), timing())
        };
        let starting = process.run(async move { RaftEngine::start(options).await });
        let engine = match starting.await {
            Ok(Ok(engine)) => engine,
            Ok(Err(error)) => panic!("{name} does not start: {error}"),
            Err(Gone) => panic!("{name} does not start: {:?}", process.panic()),
        };
        let endpoint = Endpoint {
            host: name.to_owned(),
            process: Arc::clone(&process),
            service: engine.peer_service(),
        };
        self.network.listen(&host.address, endpoint);
        let (joining, failures, who) = (Arc::clone(&engine), Arc::clone(&self.failures), name.to_owned());
        process.spawn(async move {
            if let Err(error) = joining.recovered().await {
                failures
                    .lock()
                    .unwrap()
                    .push(format!("{who} could not take part: {error}"));
            }
        });
        self.processes.push((name.to_owned(), Arc::clone(&process)));
        let running = Running { process, engine };
        self.doors.0.lock().unwrap().insert(name.to_owned(), running);
    }

    pub(super) async fn start_all(&mut self) {
        for name in self.names() {
            if !self.is_running(&name) {
                self.start(&name).await;
            }
        }
    }

    /// Ends a replica without warning.
    pub(super) fn end(&mut self, name: &str, end: End) {
        let seed = self.random.next_u64();
        let Some(Running { process, engine }) = self.doors.0.lock().unwrap().remove(name) else {
            return;
        };
        self.witness.look(&engine);
        note_failure(&self.failures, name, &engine);
        self.off(name, &process, end, seed);
    }

    fn off(&mut self, name: &str, process: &Process, end: End, seed: u64) {
        let host = self.hosts.get_mut(name).unwrap();
        host.disk = match end {
            End::Kill => host.disk.pull(),
            End::PowerCut => host.disk.cut(seed),
        };
        self.network.leave(name, end == End::PowerCut);
        process.kill();
    }

    /// Stops a replica in order, as on SIGTERM.
    pub(super) async fn stop(&mut self, name: &str) {
        self.on(name, |engine| {
            Box::pin(async move {
                engine.hand_over().await;
                engine.stop().await.unwrap();
            })
        })
        .await
        .unwrap();
        let running = self.doors.0.lock().unwrap().remove(name).unwrap();
        self.off(name, &running.process, End::Kill, 0);
    }

    /// The disk of a host that is off is replaced by an empty one.
    pub(super) fn wipe(&mut self, name: &str) {
        assert!(!self.is_running(name), "{name} runs");
        self.hosts.get_mut(name).unwrap().disk = PowerDisk::default();
    }

    /// A host that is off gets another address.
    pub(super) fn move_to(&mut self, name: &str, address: &str) {
        assert!(!self.is_running(name), "{name} runs");
        address.clone_into(&mut self.hosts.get_mut(name).unwrap().address);
    }

    /// Replicas that start from now on look for each other here.
    pub(super) fn look_at(&mut self, addresses: [&str; 3]) {
        self.peers = addresses.map(str::to_owned).to_vec();
    }

    /// A further host, off, whose replica has the name of another host's.
    pub(super) fn add_namesake(&mut self, host: &str, name: &str) {
        self.add(host);
        name.clone_into(&mut self.hosts.get_mut(host).unwrap().name);
    }

    pub(super) fn halt(&self, name: &str) {
        if let Some(running) = self.doors.find(name) {
            running.process.halt();
        }
    }

    pub(super) fn resume(&self, name: &str) {
        if let Some(running) = self.doors.find(name) {
            running.process.resume();
        }
    }

    /// Cuts a host off from all others, both ways.
    pub(super) fn isolate(&self, name: &str) {
        for other in self.names() {
            if other != name {
                self.network.cut(name, &other);
                self.network.cut(&other, name);
            }
        }
    }

    /// Asks a replica something, in its process.
    pub(super) fn on<T: Send + 'static>(
        &self,
        name: &str,
        ask: impl FnOnce(Arc<Replica>) -> BoxFuture<'static, T>,
    ) -> BoxFuture<'static, Result<T, Gone>> {
        match self.doors.find(name) {
            Some(running) => running.ask(ask),
            None => Box::pin(std::future::ready(Err(Gone))),
        }
    }

    /// Lets time pass, and looks who leads meanwhile.
    pub(super) async fn pass(&self, duration: Duration) {
        let until = now() + duration;
        loop {
            self.look();
            let left = until - now();
            if left.is_zero() {
                return;
            }
            SimRuntime::sleep(left.min(Duration::from_millis(20))).await;
        }
    }

    /// Lets time pass until something holds, at most so much of it.
    pub(super) async fn until(&self, what: &str, within: Duration, holds: impl Fn(&Self) -> bool) {
        let until = now() + within;
        while !holds(self) {
            assert!(now() < until, "not within {within:?}: {what}{}", self.describe());
            self.pass(Duration::from_millis(20)).await;
        }
    }

    /// The leader that all running replicas agree on.
    pub(super) fn leader(&self) -> Option<String> {
        let mut leaders = self.running().into_iter().map(|name| self.status(&name).leader);
        let first = leaders.next()??;
        leaders
            .all(|leader| leader.as_ref() == Some(&first))
            .then_some(first)
    }

    /// Waits until all running replicas agree on a leader and are ready.
    pub(super) async fn until_ready(&self, within: Duration) -> String {
        self.until("every replica is ready", within, |world| {
            let names = world.running();
            world.leader().is_some() && names.iter().all(|name| world.status(name).not_ready.is_none())
        })
        .await;
        self.leader().unwrap()
    }

    fn look(&self) {
        for name in self.running() {
            self.witness.look(&self.engine(&name));
        }
    }

    /// No process may panic, and no replica may fail unless its power was cut.
    pub(super) fn assert_sound(&self) {
        for (name, process) in &self.processes {
            if let Some(panic) = process.panic() {
                panic!("{name} panicked: {panic}");
            }
        }
        for name in self.running() {
            note_failure(&self.failures, &name, &self.engine(&name));
        }
        let failures = self.failures.lock().unwrap();
        assert!(failures.is_empty(), "{failures:?}");
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for name in self.hosts.keys() {
            let state = match self.doors.find(name) {
                None => "off".to_owned(),
                Some(running) => format!("{:?}", running.engine.status()),
            };
            text.push_str(&format!("\n  {name}: {state}"));
        }
        text
    }
}

fn note_failure(failures: &Mutex<Vec<String>>, name: &str, engine: &Replica) {
    if let Some(failure) = engine.failure() {
        failures.lock().unwrap().push(format!("{name}: {failure}"));
    }
}

/// A number below a bound, by chance.
pub(super) fn below(random: &mut SmallRng, bound: u64) -> u64 {
    random.random_range(0..bound)
}
