//! Connections without end, and a process that may hold few.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use zephyrfs_tests::{Rest, TestNode, binary};

/// File descriptors of the coordinator: fewer than its connections are configured to be.
const DESCRIPTORS: &str = "400";

/// Connections that say nothing, at each API: together more than there are descriptors.
const SILENT: usize = 300;

/// Far longer than an answer takes, and less than silent connections are put up with.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so long a container that was told to stop is killed.
const CONTAINER_PATIENCE: Duration = Duration::from_secs(10);

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

/// The start of a gRPC request whose message never comes: HTTP/2's preface, its settings, and the head of a request.
fn half_a_grpc_request() -> Vec<u8> {
    let path = "/zephyrfs.coordinator.CoordinatorService/GetNetworkStatus";
    // POST over http, the path, `content-type: application/grpc`.
    let mut head = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend_from_slice(path.as_bytes());
    head.extend_from_slice(b"\x0f\x10\x10application/grpc");
    let length = u8::try_from(head.len()).unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers = [0, 0, length, 1, 4, 0, 0, 0, 1];
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &settings[..],
        &headers,
        &head,
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_let_go_hold_up_neither_the_end_nor_the_next_start() {
    let mut node = TestNode::start().await;
    let grpc = node.grpc_url();
    let mut half_grpc = TcpStream::connect(grpc.trim_start_matches("http://"))
        .await
        .unwrap();
    half_grpc.write_all(&half_a_grpc_request()).await.unwrap();
    let rest = node.rest().base().to_owned();
    let mut half_rest = TcpStream::connect(rest.trim_start_matches("http://"))
        .await
        .unwrap();
    let head = b"POST /api/v1/nodes/register HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{";
    half_rest.write_all(head).await.unwrap();
    assert_eq!(node.rest().get("/api/v1/nodes/active").await.status, 200);

    let stopped = timeout(CONTAINER_PATIENCE, node.stop()).await;
    assert_eq!(
        stopped.expect("it ends before it is killed"),
        Some(0),
        "{:?}",
        node.log()
    );
    drop((half_grpc, half_rest));
    node.start_again().await;
    let checks = node.events("Checking the database after an unclean stop");
    assert_eq!(checks, [] as [Value; 0], "an orderly end closes the databases");
    assert_eq!(node.stop().await, Some(0));
}
