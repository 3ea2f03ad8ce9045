use std::collections::BTreeMap;

use super::super::sections::{LogFormat, LogLevel};
use super::super::{ConfigArgs, Sources, load};
use super::setup;

#[test]
fn flags_win_over_everything_in_both_spellings() {
    for dashes in ["-", "--"] {
        let config = setup()
            .yaml("grpc: {port: 1}\nhttp: {port: 1}")
            .env("GRPC_PORT", "2")
            .env("LOG_LEVEL", "error")
            .arg(&format!("{dashes}log-level"))
            .arg("debug")
            .arg(&format!("{dashes}log-format=text"))
            .arg(&format!("{dashes}grpc-port=11"))
            .arg(&format!("{dashes}http-port=12"))
            .arg(&format!("{dashes}metrics-port=13"))
            .arg(&format!("{dashes}data-path=/d"))
            .config();
        assert_eq!(
            (config.log.level, config.log.format),
            (LogLevel::Debug, LogFormat::Text)
        );
        assert_eq!(
            (config.grpc.port, config.http.port, config.health.metrics_port),
            (11, 12, 13)
        );
        assert_eq!(config.data_path.to_str(), Some("/d"));
    }
}

#[test]
fn set_reaches_any_key_and_is_repeatable() {
    let config = setup()
        .arg("--grpc-port=1")
        .arg("--set")
        .arg("grpc.port=2")
        .arg("--set=coordinator.repair_delay=7s")
        .arg("--set=http.cors_origins=https://a.example, https://b.example")
        .arg("--set=limits.max_connections=5")
        .arg("--set=limits.max_connections=6")
        .config();
    assert_eq!(config.grpc.port, 2);
    assert_eq!(config.coordinator.repair_delay.as_secs(), 7);
    assert_eq!(
        config.http.cors_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.limits.max_connections, 6);
}

#[test]
fn the_last_of_a_repeated_flag_counts() {
    assert_eq!(
        setup()
            .arg("--grpc-port=1")
            .arg("--grpc-port=2")
            .config()
            .grpc
            .port,
        2
    );
}

#[test]
fn wrong_flags_are_named() {
    let error = setup().arg("--log-level=loud").error();
    assert_eq!(
        error,
        "--log-level: `log.level` must be debug, info, warn or error, but is `loud`"
    );
    let error = setup().arg("--set=grpc.prot=1").error();
    assert_eq!(
        error,
        "--set: unknown key `grpc.prot`; the nearest known one is `grpc.port`"
    );
    let error = setup().arg("--data-path=").error();
    assert_eq!(error, "--data-path: `data_path` must be a path, but is empty");
    for assignment in ["grpc.port", "=1", "postgres://u:hunter2@h/d?x=1"] {
        let error = setup().arg("--set").arg(assignment).error();
        assert!(
            error.starts_with("--set needs KEY=VALUE") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn references_are_not_expanded_outside_the_file() {
    let error = setup().env("PORT", "1").arg("--grpc-port=${PORT}").error();
    assert!(error.contains("but is `${PORT}`"), "{error}");
}

#[test]
fn a_replica_without_any_name_is_told_to_set_one() {
    let environment = BTreeMap::new();
    let read_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let sources = Sources {
        environment: &environment,
        read_file: &read_file,
        host_name: " ",
    };
    let error = load(&ConfigArgs::default(), &sources).unwrap_err().to_string();
    assert!(error.contains("REPLICA_NAME"), "{error}");
}
