//! Logging as a process has it, with its real stderr: this test program starts itself again as that process.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value as Json;
use tracing::{debug, info};

use super::super::init;
use super::super::init::LoggingError;
use crate::config::{Log, LogFormat, LogLevel};

const MARK: &str = "ZEPHYRFS_TEST_LOGGING_CHILD";

/// Not a test by itself: what the process does that the tests below start. It waits for a line on stdin
/// first.
#[test]
fn child() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    io::stdin().lock().read_line(&mut String::new()).unwrap();
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let log = Log {
        level: LogLevel::Info,
        format: LogFormat::Auto,
    };
    init(&log, &environment).unwrap();
    assert!(matches!(init(&log, &environment), Err(LoggingError::Twice(_))));
    debug!("quiet");
    info!(node_id = "n", "started");
    std::panic::catch_unwind(|| panic!("on\npurpose")).unwrap_err();
    info!("ended");
}

fn start(rust_log: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "logging::tests::process::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(MARK, "1")
        .env("RUST_LOG", rust_log)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn go(child: &mut Child) {
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
}

fn logged(rust_log: &str) -> (ExitStatus, Vec<Json>) {
    let mut child = start(rust_log);
    go(&mut child);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (
        output.status,
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

#[test]
fn every_line_on_stderr_is_json_even_of_a_panic() {
    let (status, lines) = logged("");
    assert!(status.success());
    let messages: Vec<&str> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert_eq!(messages, ["started", "panicked: on\npurpose", "ended"]);
    assert_eq!(lines[1]["level"], "error");
    assert!(
        lines[1]["location"].as_str().unwrap().contains("process.rs:"),
        "{}",
        lines[1]
    );
}

#[test]
fn rust_log_is_taken_from_the_environment() {
    let (status, lines) = logged("zephyrfs_coordinator=debug");
    assert!(status.success());
    assert_eq!(lines[0]["msg"], "quiet");
}

#[test]
fn a_wrong_rust_log_is_named() {
    let environment = BTreeMap::from([("RUST_LOG".to_owned(), "coordinator=loud".to_owned())]);
    let log = Log {
        level: LogLevel::Info,
        format: LogFormat::Auto,
    };
    let error = init(&log, &environment).unwrap_err().to_string();
    assert!(error.contains("RUST_LOG"), "{error}");
}

#[test]
fn a_closed_stderr_ends_nothing() {
    let mut child = start("");
    drop(child.stderr.take());
    go(&mut child);
    assert!(child.wait().unwrap().success());
}
