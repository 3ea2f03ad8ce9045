//! A cluster of coordinators as real processes, in the words that its tests are told in.
//!
//! Clusters run one at a time in a test process: three coordinators and their clients are enough for a machine. A test
//! ends its cluster with [`TestCluster::end`], which stops every replica in order and looks through all logs. What a
//! failed test leaves behind stays, and its place is printed.

mod plan;
mod replica;
mod rows;
mod status;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use plan::ClusterPlan;
pub use replica::TestReplica;
pub use rows::Rows;
pub use status::{ClusterStatus, MemberStatus};

use crate::network::{FaultyLinks, Network};
use crate::process::Launch;
use crate::rest::Rest;
use crate::wait::until_told;

static TURN: Semaphore = Semaphore::const_new(1);

/// A cluster of replicas called `a`, `b`, `c` and so on.
pub struct TestCluster {
    replicas: Vec<TestReplica>,
    network: Network,
    plan: ClusterPlan,
    has_ended: bool,
    /// Last, so that the next cluster starts when nothing of this one is left.
    _turn: SemaphorePermit<'static>,
}

impl TestCluster {
    /// Starts a cluster, and waits until all replicas are ready and agree.
    pub async fn start(plan: ClusterPlan) -> Self {
        let mut cluster = Self::prepare(plan).await;
        for replica in &mut cluster.replicas {
            replica.start();
        }
        cluster.until_agreed().await;
        cluster
    }

    /// A cluster of which no replica runs yet.
    ///
    /// # Panics
    /// If the machine does not have what it takes, with what to do about it.
    #[allow(clippy::panic, reason = "without a place to run there is no test")]
    pub async fn prepare(plan: ClusterPlan) -> Self {
        let turn = TURN.acquire().await;
        let turn = turn.unwrap_or_else(|closed| panic!("{closed}"));
        let names = plan.names();
        let network = if plan.has_links {
            Network::with_links(&names)
        } else {
            Network::on_loopback(&names)
        };
        let mut cluster = Self {
            replicas: Vec::new(),
            network,
            plan,
            has_ended: false,
            _turn: turn,
        };
        for name in names {
            let data = cluster.network.make_directory(&name);
            let data = data.unwrap_or_else(|error| panic!("no place for the data of {name}: {error}"));
            let (place, launch) = (cluster.network.place(&name), cluster.launch(&name));
            cluster.replicas.push(TestReplica::new(name, data, place, launch));
        }
        cluster
    }

    /// The command line of every replica, and the environment of this one.
    fn launch(&self, name: &str) -> Launch {
        let place = self.network.place(name);
        let peer = self.network.peer_address(name);
        let peers: Vec<_> = self.network.first_peer_addresses();
        let peers: Vec<_> = peers.into_iter().map(|address| address.to_string()).collect();
        let environment = [
            ("REPLICA_NAME", name.to_owned()),
            ("CLUSTER_REPLICAS", self.plan.replicas.to_string()),
            ("CLUSTER_PEERS", peers.join(",")),
            ("PEER_PORT", peer.port().to_string()),
            ("PEER_ADVERTISE", peer.to_string()),
            ("GRPC_PORT", place.grpc.to_string()),
            ("HTTP_PORT", place.rest.to_string()),
            ("METRICS_PORT", place.health.to_string()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        let set = |setting: &String| ["--set".to_owned(), setting.clone()];
        Launch {
            through: self.network.enter(name),
            environment: environment.into_iter().chain([self.network.mark()]).collect(),
            arguments: self.plan.settings.iter().flat_map(set).collect(),
        }
    }

    /// All replicas.
    pub fn replicas(&self) -> &[TestReplica] {
        &self.replicas
    }

    /// The names and REST APIs of all replicas, for clients that wait so long for an answer.
    pub fn apis(&self, patience: Duration) -> Vec<(String, Rest)> {
        let api = |replica: &TestReplica| (replica.name().to_owned(), replica.place().rest_for(patience));
        self.replicas.iter().map(api).collect()
    }

    /// The names of all replicas but one.
    pub fn others(&self, name: &str) -> Vec<String> {
        let mut names = self.names();
        names.retain(|other| other != name);
        names
    }

    /// Where the peers of a replica reach it.
    pub fn peer_address(&self, name: &str) -> String {
        self.network.peer_address(name).to_string()
    }

    /// The names of all replicas.
    pub fn names(&self) -> Vec<String> {
        self.plan.names()
    }

    /// A replica.
    ///
    /// # Panics
    /// If none has this name.
    #[allow(clippy::panic, reason = "a test that asks for this is wrong")]
    pub fn replica(&self, name: &str) -> &TestReplica {
        let found = self.replicas.iter().find(|replica| replica.name() == name);
        found.unwrap_or_else(|| panic!("no replica is called {name}"))
    }

    /// A replica, to do something to it.
    ///
    /// # Panics
    /// If none has this name.
    #[allow(clippy::panic, reason = "a test that asks for this is wrong")]
    pub fn replica_mut(&mut self, name: &str) -> &mut TestReplica {
        let found = self.replicas.iter_mut().find(|replica| replica.name() == name);
        found.unwrap_or_else(|| panic!("no replica is called {name}"))
    }

    /// The links between the replicas.
    ///
    /// # Panics
    /// If the cluster was started without.
    pub fn links(&mut self) -> &mut FaultyLinks {
        self.network.links()
    }

    /// Gives a replica that does not run another address, which it tells its peers when it is started.
    pub fn move_away(&mut self, name: &str) {
        self.network.move_away(name);
        let (place, launch) = (self.network.place(name), self.launch(name));
        self.replica_mut(name).relaunch_at(place, launch);
    }

    /// Waits until a majority of all replicas, frozen ones left aside, name one leader among them, and gives its name.
    pub async fn until_leader_among(&mut self, names: &[String]) -> String {
        until_told(&format!("{names:?} have a leader among them"), async || {
            self.check_alive();
            let mut leaders = Vec::new();
            for name in names {
                let status = self.replica(name).status().await?;
                leaders.push((status.term, status.leader));
            }
            match leaders.first() {
                Some((_, Some(leader)))
                    if names.contains(leader) && leaders.iter().all(|one| *one == leaders[0]) =>
                {
                    Ok(leader.clone())
                }
                _ => Err(format!("they say {leaders:?}")),
            }
        })
        .await
    }

    /// Waits until all running replicas name the same leader, and gives its name.
    pub async fn until_leader(&mut self) -> String {
        let running = self.replicas.iter().filter(|replica| replica.is_running());
        let names: Vec<_> = running.map(|replica| replica.name().to_owned()).collect();
        self.until_leader_among(&names).await
    }

    /// Waits until all replicas run, are ready, vote, hear from each other and agree, and gives what they say.
    pub async fn until_agreed(&mut self) -> ClusterStatus {
        let replicas = self.plan.replicas;
        until_told("all replicas agree, vote and are ready", async || {
            self.check_alive();
            let mut agreed: Option<ClusterStatus> = None;
            for replica in &self.replicas {
                let status = replica.status().await?;
                let voters = status
                    .members
                    .iter()
                    .filter(|member| member.role == "voter")
                    .count();
                if status.members.len() != replicas || voters != replicas || status.leader.is_none() {
                    return Err(format!("{} says {status:?}", replica.name()));
                }
                let is_leader = status.leader.as_deref() == Some(replica.name());
                // Only the leader knows who is well.
                if is_leader && !status.members.iter().all(|member| member.healthy) {
                    return Err(format!("{} says {status:?}", replica.name()));
                }
                let ready = replica.probe("/ready").await;
                if ready != Some(200) {
                    return Err(format!("{} is not ready: {ready:?}", replica.name()));
                }
                let same =
                    |other: &ClusterStatus| (&other.leader, other.term) == (&status.leader, status.term);
                if !agreed.as_ref().is_none_or(same) {
                    return Err(format!(
                        "{} says {status:?}, another one {agreed:?}",
                        replica.name()
                    ));
                }
                if is_leader || agreed.is_none() {
                    agreed = Some(status);
                }
            }
            agreed.ok_or_else(|| "there are no replicas".to_owned())
        })
        .await
    }

    /// Waits until all running replicas have applied equally much, and gives their rows, which are the same.
    pub async fn until_same_rows(&self) -> Rows {
        rows::until_same(&self.replicas).await
    }

    /// Registers storage nodes `n1`, `n2` and so on.
    ///
    /// # Panics
    /// If one is refused.
    pub async fn register_nodes(&self, count: usize) {
        for number in 1..=count {
            let body = json!({
                "node_id": format!("n{number}"),
                "addresses": [format!("10.0.0.{number}:7000")],
                "storage_capacity": 1_u64 << 50,
                "capabilities": {"zone": format!("z{}", number % 3)},
            });
            let replica = &self.replicas[number % self.replicas.len()];
            let answer = replica.rest().post("/api/v1/nodes/register", &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// Stops all replicas that run, in order, and looks through the logs of all.
    ///
    /// # Panics
    /// If one does not end with 0, panicked, or logged what a human must look at.
    pub async fn end(self) {
        self.end_after(None).await;
    }

    /// As [`Self::end`], after something of which the log had to call a human: one replica at least must have said so, and
    /// none anything else.
    ///
    /// # Panics
    /// As [`Self::end`], and if nobody was called.
    pub async fn end_with_alarm(self, alarm: &str) {
        self.end_after(Some(alarm)).await;
    }

    async fn end_after(mut self, expected: Option<&str>) {
        let mut running: Vec<_> = self
            .replicas
            .iter_mut()
            .filter(|replica| replica.is_running())
            .collect();
        for replica in &mut running {
            replica.ask_to_stop().await;
        }
        let codes = join_all(running.into_iter().map(TestReplica::ended)).await;
        assert!(
            codes.iter().all(|code| *code == Some(0)),
            "replicas ended with {codes:?}"
        );
        let is_expected = |alarm: &String| expected.is_some_and(|expected| alarm.contains(expected));
        let mut was_raised = false;
        for replica in &self.replicas {
            let (raised, others): (Vec<_>, Vec<_>) = replica.alarms().into_iter().partition(is_expected);
            was_raised |= !raised.is_empty();
            assert!(
                others.is_empty(),
                "{} logged:\n{}",
                replica.name(),
                others.join("\n")
            );
        }
        assert!(
            was_raised || expected.is_none(),
            "nobody raised the alarm: {expected:?}"
        );
        self.has_ended = true;
    }

    /// Fails at once when a replica ended that nobody stopped.
    #[allow(clippy::panic, reason = "a process that ends by itself is a failed test")]
    pub(crate) fn check_alive(&mut self) {
        for replica in &mut self.replicas {
            if let Err(ended) = replica.check_alive() {
                panic!("{ended}:\n{}", replica.log().join("\n"));
            }
        }
    }

    /// Leaves a text beside the logs, for whoever looks into a failure.
    ///
    /// # Panics
    /// If it cannot be written.
    #[allow(
        clippy::panic,
        reason = "a failure that cannot be looked into is worse than one that can"
    )]
    pub(crate) fn note(&self, name: &str, text: &str) {
        let written = fs::write(self.network.directory().join(name), text);
        written.unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
    }

    fn keep(&self) -> std::io::Result<PathBuf> {
        for replica in &self.replicas {
            let path = self.network.directory().join(format!("{}.log", replica.name()));
            fs::write(path, replica.log().join("\n"))?;
        }
        self.network.keep_files()
    }
}

impl Drop for TestCluster {
    #[allow(
        clippy::print_stderr,
        reason = "whoever reads of a failed test wants to see why"
    )]
    fn drop(&mut self) {
        if !self.has_ended {
            match self.keep() {
                Ok(path) => eprintln!(
                    "the logs and the data of all replicas are kept in {}",
                    path.display()
                ),
                Err(error) => eprintln!("the logs of the replicas could not be kept: {error}"),
            }
        }
        assert!(
            self.has_ended || std::thread::panicking(),
            "a test must end its cluster, so that the logs are looked at"
        );
    }
}
