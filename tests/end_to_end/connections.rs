//! Connections without end, and a process that may hold few.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use zephyrfs_tests::{Rest, binary};

/// File descriptors of the coordinator: fewer than its connections are configured to be.
const DESCRIPTORS: &str = "400";

/// Connections that say nothing, at each API: together more than there are descriptors.
const SILENT: usize = 300;

/// Far longer than an answer takes, and less than silent connections are put up with.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_at_the_apis_leaves_the_probes_their_connections() {
    let data = TempDir::new().unwrap();
    let mut coordinator = Command::new("sh")
        .args(["-c", r#"ulimit -n "$1"; exec "$0""#])
        .arg(binary("coordinator"))
        .arg(DESCRIPTORS)
        .env_clear()
        .env("DATA_PATH", data.path())
        .envs(["GRPC_PORT", "HTTP_PORT", "METRICS_PORT"].map(|port| (port, "0")))
        .current_dir(data.path())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(coordinator.stderr.take().unwrap()).lines();
    let ready: Value = loop {
        let line = log.next_line().await.unwrap().expect("the coordinator starts");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["msg"] == "Coordinator ready" {
            break event;
        }
    };
    let port = |name: &str| u16::try_from(ready[name].as_u64().unwrap()).unwrap();
    let mut silent = Vec::new();
    for api in ["grpcPort", "httpPort"] {
        for _ in 0..SILENT {
            silent.push(TcpStream::connect(("127.0.0.1", port(api))).await.unwrap());
        }
    }
    let health = Rest::at(format!("http://127.0.0.1:{}", port("metricsPort")));
    for probe in ["/live", "/ready"] {
        let answer = timeout(PATIENCE, health.get(probe)).await;
        assert_eq!(answer.expect("the probe is answered").status, 200, "{probe}");
    }
    drop(silent);
    let rest = Rest::at(format!("http://127.0.0.1:{}", port("httpPort")));
    assert_eq!(rest.get("/api/v1/nodes/active").await.status, 200);
    coordinator.kill().await.unwrap();
}
