use serde_json::Value as Json;
use tracing::{debug, error, info, warn};

use super::super::filter::filter;
use super::super::layer::Format;
use super::{lines_at, noon};
use crate::config::LogLevel;

/// Messages that pass: `own` ones from our crates, others from a dependency.
fn passed(level: LogLevel, rust_log: Option<&str>) -> Vec<String> {
    let lines = lines_at(noon, Format::Json, filter(level, rust_log).unwrap(), || {
        debug!(target: "coordinator::api", "own debug");
        info!(target: "zephyrfs_raft", "own info");
        warn!(target: "zephyrfs_core::rules", "own warn");
        error!("own error");
        debug!(target: "openraft::engine", "debug");
        info!(target: "h2", "info");
        warn!(target: "hyper", "warn");
        error!(target: "redb", "error");
        warn!(target: "openraft::core", "openraft warn");
    });
    let message = |line: &String| {
        serde_json::from_str::<Json>(line).unwrap()["msg"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    lines.iter().map(message).collect()
}

#[test]
fn our_level_is_for_our_crates_and_dependencies_only_warn() {
    assert_eq!(
        passed(LogLevel::Debug, None),
        [
            "own debug",
            "own info",
            "own warn",
            "own error",
            "warn",
            "error",
            "openraft warn"
        ]
    );
    assert_eq!(
        passed(LogLevel::Info, None),
        ["own info", "own warn", "own error", "warn", "error"]
    );
    assert_eq!(
        passed(LogLevel::Warn, None),
        ["own warn", "own error", "warn", "error"]
    );
    assert_eq!(passed(LogLevel::Error, None), ["own error", "error"]);
}

#[test]
fn rust_log_replaces_the_level() {
    assert_eq!(
        passed(LogLevel::Error, Some("h2=info,zephyrfs_raft=info")),
        ["own info", "info"]
    );
    assert_eq!(passed(LogLevel::Debug, Some("off")), Vec::<String>::new());
    assert!(filter(LogLevel::Info, Some("coordinator=loud")).is_err());
}

#[test]
fn the_events_of_a_dependency_tell_their_target() {
    let lines = lines_at(noon, Format::Json, filter(LogLevel::Info, None).unwrap(), || {
        warn!(target: "hyper::server", "theirs");
        warn!(target: "zephyrfs_raft::log", "ours");
    });
    assert!(lines[0].contains(r#""target":"hyper::server""#), "{lines:?}");
    assert!(!lines[1].contains("target"), "{lines:?}");
}
