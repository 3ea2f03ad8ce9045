//! A coordinator process, and what its log says.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::binary::{Ended, command_through, ended};
use crate::place::Place;
use crate::wait::until;

/// The lines of a process's log so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// The lines that nobody wants to see: panics, and events that a human must look at.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let is_error =
            |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|event| event["level"] == "error");
        let mut lines = self.lines();
        lines.retain(|line| line.contains("panicked") || is_error(line));
        lines
    }

    /// The events with a message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let parsed = self
            .lines()
            .into_iter()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        parsed.filter(|event| event["msg"] == message).collect()
    }
}

/// How a coordinator is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Launch {
    /// A program that becomes the coordinator, with its arguments; nothing for none.
    pub(crate) through: Vec<String>,
    /// Environment variables, besides those for the data and the format of the log.
    pub(crate) environment: Vec<(String, String)>,
    /// Arguments.
    pub(crate) arguments: Vec<String>,
}

/// Runs a command of the coordinator where a process with this launch would run, and waits until it has ended.
pub(crate) async fn run_command(data: &Path, launch: &Launch, arguments: &[&str]) -> Ended {
    let mut command = coordinator(data, launch);
    command.args(arguments).args(&launch.arguments);
    ended(command).await
}

fn coordinator(data: &Path, launch: &Launch) -> Command {
    let mut command = command_through(&launch.through, "coordinator");
    command
        .env("DATA_PATH", data)
        .envs([
            ("GRPC_PORT", "0"),
            ("HTTP_PORT", "0"),
            ("METRICS_PORT", "0"),
            ("LOG_FORMAT", "json"),
        ])
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(data);
    command
}

/// A running coordinator.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a coordinator with its data in `data`, on free ports unless its environment says otherwise.
    #[allow(clippy::panic, reason = "a program that does not start is a failed test")]
    pub(crate) fn start(data: &Path, launch: &Launch) -> Self {
        let mut child = coordinator(data, launch)
            .args(&launch.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the coordinator: {error}"));
        let log = Log::default();
        let reader = child.stderr.take().map(|stderr| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    log.add(line);
                }
            })
        });
        Self { child, log, reader }
    }

    /// Kills it at once, as `kill -9` does.
    #[allow(clippy::panic, reason = "a process that cannot be killed is a failed test")]
    pub(crate) async fn kill(&mut self) {
        let killed = self.child.kill().await;
        killed.unwrap_or_else(|error| panic!("cannot kill the coordinator: {error}"));
        self.read_to_end().await;
    }

    /// Waits until it has ended, by itself or not, and gives its exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let status = until("the coordinator ends", async || {
            self.child.try_wait().ok().flatten()
        });
        let code = status.await.code();
        self.read_to_end().await;
        code
    }

    /// Waits until its last line is in the log.
    async fn read_to_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It ends with the process, and cannot fail but with the runtime.
            let _ = reader.await;
        }
    }

    /// Waits until it says that it is ready, and gives where it is.
    #[allow(clippy::panic, reason = "a program that does not start is a failed test")]
    pub(crate) async fn ready(&mut self) -> Place {
        let log = self.log.clone();
        let ready = until("the coordinator says that it is ready", async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the coordinator ended with {status}:\n{}", log.lines().join("\n"));
            }
            log.events("Coordinator ready").pop()
        })
        .await;
        let port = |field: &str| {
            let port = ready[field].as_u64().and_then(|port| u16::try_from(port).ok());
            port.unwrap_or_else(|| panic!("no {field} in {ready}"))
        };
        Place {
            host: Ipv4Addr::LOCALHOST,
            grpc: port("grpcPort"),
            rest: port("httpPort"),
            health: port("metricsPort"),
        }
    }

    /// Sends a signal by its name.
    #[allow(clippy::panic, reason = "a process that is gone is a failed test")]
    pub(crate) async fn signal(&self, name: &str) {
        let id = self
            .child
            .id()
            .unwrap_or_else(|| panic!("the coordinator is gone"));
        let status = Command::new("kill")
            .args([format!("-{name}"), id.to_string()])
            .status()
            .await;
        assert!(
            status.is_ok_and(|status| status.success()),
            "kill -{name} {id} failed"
        );
    }
}
