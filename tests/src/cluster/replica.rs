//! One replica of a cluster: a process that fails in every way a process can, and comes back.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::status::ClusterStatus;
use crate::GrpcClient;
use crate::binary::Ended;
use crate::place::Place;
use crate::process::{Launch, Log, Process, run_command};
use crate::rest::Rest;
use crate::wait::until;

/// One replica. It may run, be stopped in its tracks, or not run.
pub struct TestReplica {
    name: String,
    data: PathBuf,
    place: Place,
    rest: Rest,
    launch: Launch,
    process: Option<Process>,
    /// Of every time that it ran.
    logs: Vec<Log>,
}

impl TestReplica {
    pub(super) fn new(name: String, data: PathBuf, place: Place, launch: Launch) -> Self {
        Self {
            name,
            data,
            rest: place.rest(),
            place,
            launch,
            process: None,
            logs: Vec::new(),
        }
    }

    /// Its name, which stays the same whatever happens to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Its REST API.
    pub const fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Its gRPC API.
    pub async fn grpc(&self) -> GrpcClient {
        self.place.grpc().await
    }

    /// The status of a probe: 200, 503, or `None` without an answer.
    pub async fn probe(&self, path: &str) -> Option<u16> {
        let answer = self.place.health().send("GET", path, None).await;
        answer.ok().map(|answer| answer.status)
    }

    /// What it says of the cluster.
    ///
    /// # Errors
    /// Why it says nothing.
    pub async fn status(&self) -> Result<ClusterStatus, String> {
        ClusterStatus::ask(&self.rest).await
    }

    /// Whether it was started and neither killed nor stopped since.
    pub const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it, with whatever data it has, and does not wait for it.
    ///
    /// # Panics
    /// If it runs.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let process = Process::start(&self.data, &self.launch);
        self.logs.push(process.log.clone());
        self.process = Some(process);
    }

    /// Kills it at once, as `kill -9` does.
    pub async fn kill(&mut self) {
        self.running().kill().await;
        self.process = None;
    }

    /// Asks it to stop.
    pub async fn ask_to_stop(&mut self) {
        self.running().signal("TERM").await;
    }

    /// Waits until it has ended, and gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let code = self.running().ended().await;
        self.process = None;
        code
    }

    /// Asks it to stop, waits until it has, and gives its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.ask_to_stop().await;
        self.ended().await
    }

    /// Stops it in its tracks: it holds its connections and its memory, and does nothing.
    pub async fn freeze(&mut self) {
        self.running().signal("STOP").await;
        let pid = self.running().child.id();
        until("the process stands still", async || {
            let status = fs::read_to_string(format!("/proc/{}/stat", pid?)).ok()?;
            // The state follows the name, which is in brackets.
            status.rsplit_once(") ")?.1.starts_with('T').then_some(())
        })
        .await;
    }

    /// Lets it go on.
    pub async fn thaw(&mut self) {
        self.running().signal("CONT").await;
    }

    /// Throws away everything it stored.
    ///
    /// # Panics
    /// If it runs, or the data cannot be removed.
    #[allow(clippy::panic, reason = "a fault that cannot be made is a failed test")]
    pub fn wipe(&mut self) {
        assert!(self.process.is_none(), "{} still uses its data", self.name);
        let wiped = fs::remove_dir_all(&self.data).and_then(|()| fs::create_dir(&self.data));
        wiped.unwrap_or_else(|error| panic!("cannot wipe {}: {error}", self.data.display()));
    }

    /// Runs a command of the coordinator with this replica's environment, and waits until it has ended.
    pub async fn command(&self, arguments: &[&str]) -> Ended {
        run_command(&self.data, &self.launch, arguments).await
    }

    /// The events with a message, of every time that it ran.
    pub fn events(&self, message: &str) -> Vec<Value> {
        self.logs.iter().flat_map(|log| log.events(message)).collect()
    }

    /// Why it ended, if it did so by itself.
    pub(super) fn check_alive(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.child.try_wait() {
            Ok(None) => Ok(()),
            ended => Err(format!("{} ended by itself with {ended:?}", self.name)),
        }
    }

    pub(super) fn alarms(&self) -> Vec<String> {
        self.logs.iter().flat_map(Log::alarms).collect()
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.logs.iter().flat_map(Log::lines).collect()
    }

    pub(super) fn relaunch_at(&mut self, place: Place, launch: Launch) {
        self.rest = place.rest();
        self.place = place;
        self.launch = launch;
    }

    #[allow(clippy::panic, reason = "a test that asks for this is wrong")]
    fn running(&mut self) -> &mut Process {
        let Some(process) = &mut self.process else {
            panic!("{} does not run", self.name);
        };
        process
    }
}
