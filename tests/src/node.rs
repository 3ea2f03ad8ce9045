//! A coordinator under test: a process that can be killed, stopped and started again on the same data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::place::Place;
use crate::process::{Launch, Process};
use crate::rest::Rest;
use crate::{GrpcClient, engine};

/// Where a replica keeps its data.
enum Data {
    Own(TempDir),
    Given(PathBuf),
}

impl Data {
    fn path(&self) -> &Path {
        match self {
            Self::Own(directory) => directory.path(),
            Self::Given(path) => path,
        }
    }
}

/// One replica with a data directory of its own, which goes with it.
pub struct TestNode {
    data: Data,
    launch: Launch,
    process: Process,
    place: Place,
}

impl TestNode {
    /// Starts a replica with the defaults.
    pub async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// Starts a replica with environment variables and arguments.
    ///
    /// # Panics
    /// If it does not become ready.
    #[allow(clippy::panic, reason = "without a place for its data there is no test")]
    pub async fn start_with(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let data = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        // A test that says which database means it.
        let is_said = environment.iter().any(|(name, _)| *name == "DATABASE_URL");
        let engine = (!is_said).then(engine::environment);
        let launch = Launch {
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .chain(engine.flatten())
                .collect(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            ..Launch::default()
        };
        Self::launch(Data::Own(data), launch).await
    }

    /// Starts a replica with the defaults and its data in a directory that is somebody else's.
    pub async fn start_at(path: &Path) -> Self {
        Self::launch(Data::Given(path.to_owned()), Launch::default()).await
    }

    async fn launch(data: Data, launch: Launch) -> Self {
        let mut process = Process::start(data.path(), &launch);
        let place = process.ready().await;
        Self {
            data,
            launch,
            process,
            place,
        }
    }

    /// The directory of its data.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Its REST API.
    pub fn rest(&self) -> Rest {
        self.place.rest()
    }

    /// Its REST API, for a client that waits so long for an answer.
    pub fn rest_for(&self, patience: Duration) -> Rest {
        self.place.rest_for(patience)
    }

    /// Its health port.
    pub fn health(&self) -> Rest {
        self.place.health()
    }

    /// The URL of its gRPC API.
    pub fn grpc_url(&self) -> String {
        self.place.grpc_url()
    }

    /// Its gRPC API.
    ///
    /// # Panics
    /// If it does not take connections.
    pub async fn grpc(&self) -> GrpcClient {
        self.place.grpc().await
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.process.child.id()
    }

    /// The events of its log with a message.
    pub fn events(&self, message: &str) -> Vec<Value> {
        self.process.log.events(message)
    }

    /// Every line of its log.
    pub fn log(&self) -> Vec<String> {
        self.process.log.lines()
    }

    /// Kills it at once, as `kill -9` does.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Asks it to stop, waits until it has, and gives its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.process.signal("TERM").await;
        self.ended().await
    }

    /// Waits until it has ended, by itself or not, and gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        self.process.ended().await
    }

    /// Starts it again on the same data, on other ports.
    pub async fn start_again(&mut self) {
        self.process = Process::start(self.data.path(), &self.launch);
        self.place = self.process.ready().await;
    }

    /// Registers storage nodes `n1`, `n2`, ... over REST.
    ///
    /// # Panics
    /// If one is refused.
    pub async fn register_nodes(&self, count: usize) {
        for number in 1..=count {
            let body = json!({
                "node_id": format!("n{number}"),
                "addresses": [format!("10.0.0.{number}:7000")],
                "storage_capacity": 1_u64 << 40,
                "capabilities": {"zone": format!("z{}", number % 3)},
            });
            let answer = self.rest().post("/api/v1/nodes/register", &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}
