//! A coordinator process, and what its log says.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::binary::command;
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

    /// The events with a message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let parsed = self
            .lines()
            .into_iter()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        parsed.filter(|event| event["msg"] == message).collect()
    }
}

/// A running coordinator.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) log: Log,
}

impl Process {
    /// Starts a coordinator on free ports with its data in `data`.
    #[allow(clippy::panic, reason = "a program that does not start is a failed test")]
    pub(crate) fn start(data: &Path, environment: &[(String, String)], arguments: &[String]) -> Self {
        let mut child = command("coordinator")
            .args(arguments)
            .env("DATA_PATH", data)
            .envs([
                ("GRPC_PORT", "0"),
                ("HTTP_PORT", "0"),
                ("METRICS_PORT", "0"),
                ("LOG_FORMAT", "json"),
            ])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the coordinator: {error}"));
        let log = Log::default();
        if let Some(stderr) = child.stderr.take() {
            let log = log.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    log.add(line);
                }
            });
        }
        Self { child, log }
    }

    /// Waits until it says that it is ready, and gives its ports: gRPC, REST, health.
    #[allow(clippy::panic, reason = "a program that does not start is a failed test")]
    pub(crate) async fn ready(&mut self) -> [u16; 3] {
        let log = self.log.clone();
        let ready = until("the coordinator says that it is ready", async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the coordinator ended with {status}:\n{}", log.lines().join("\n"));
            }
            log.events("Coordinator ready").pop()
        })
        .await;
        ["grpcPort", "httpPort", "metricsPort"].map(|field| {
            let port = ready[field].as_u64().and_then(|port| u16::try_from(port).ok());
            port.unwrap_or_else(|| panic!("no {field} in {ready}"))
        })
    }

    /// Sends a signal by its number.
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
