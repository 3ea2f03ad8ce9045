use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::setting::DefaultValue;
use super::super::table::{SETTINGS, sections};
use super::setup;

/// The keys of the contract with their defaults: existing deployments rely on them.
const FIXED: [(&str, &str); 31] = [
    ("database.type", "redb"),
    ("database.path", "./coordinator.db"),
    ("database.url", ""),
    ("grpc.port", "8080"),
    ("grpc.max_message_size", "4194304"),
    ("grpc.enable_reflection", "false"),
    ("http.enabled", "true"),
    ("http.port", "8090"),
    ("coordinator.replication_factor", "3"),
    ("coordinator.max_nodes_per_chunk", "10"),
    ("coordinator.heartbeat_interval", "10s"),
    ("coordinator.node_inactive_after", "60s"),
    ("coordinator.node_timeout", "30s"),
    ("coordinator.cleanup_interval", "5m"),
    ("coordinator.geographic_spread", "true"),
    ("health.check_interval", "30s"),
    ("health.metrics_enabled", "true"),
    ("health.metrics_port", "8091"),
    ("data_path", "./data"),
    ("log.level", "info"),
    ("log.format", "auto"),
    ("cluster.replicas", "1"),
    ("cluster.peers", ""),
    ("cluster.peer_port", "8092"),
    ("coordinator.heartbeat_flush", "1s"),
    ("coordinator.repair_delay", "15m"),
    ("coordinator.repair_delay_few", "3m"),
    ("coordinator.repair_delay_last", "1m"),
    ("coordinator.gc_grace", "1h"),
    ("coordinator.brake_ratio", "0.3"),
    ("http.cors_origins", "*"),
];

#[test]
fn known_keys_keep_their_defaults() {
    for (key, default) in FIXED {
        let setting = SETTINGS.iter().find(|setting| setting.key == key).unwrap();
        let expected = if default.is_empty() {
            DefaultValue::Nothing
        } else {
            DefaultValue::Text(default)
        };
        assert_eq!(setting.default, expected, "{key}");
    }
}

#[test]
fn keys_variables_and_flags_are_unique_and_every_setting_has_a_meaning() {
    let keys: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    assert_eq!(keys.len(), SETTINGS.len());
    for name in [
        |s: &super::super::setting::Setting| s.env,
        |s: &super::super::setting::Setting| s.flag,
    ] {
        let names: Vec<&str> = SETTINGS.iter().filter_map(name).collect();
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "{names:?}"
        );
    }
    for setting in SETTINGS {
        assert!(
            !setting.meaning.is_empty() && !setting.meaning.contains(['\n', '|']),
            "{}",
            setting.key
        );
        assert!(setting.key.matches('.').count() <= 1, "{}", setting.key);
    }
}

#[test]
fn the_settings_of_a_section_stand_together() {
    let names = sections();
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "{names:?}"
    );
}

#[test]
fn the_embedded_database_lies_below_the_data_directory_unless_absolute() {
    assert_eq!(
        setup().config().database_path(),
        PathBuf::from("./data/coordinator.db")
    );
    let config = setup().env("DATA_PATH", "/data").config();
    assert_eq!(config.database_path(), PathBuf::from("/data/coordinator.db"));
    let config = setup()
        .env("DATA_PATH", "/data")
        .yaml("database: {path: /fast/c.db}")
        .config();
    assert_eq!(config.database_path(), PathBuf::from("/fast/c.db"));
}

#[test]
fn a_replica_advertises_itself_by_name_unless_it_is_alone() {
    assert_eq!(setup().config().cluster.advertised(8092), "127.0.0.1:8092");
    let peers = || setup().yaml("cluster: {replicas: 3, peers: 'peers:8092', name: a-0}");
    assert_eq!(peers().config().cluster.advertised(4711), "a-0:4711");
    assert_eq!(
        peers()
            .env("PEER_ADVERTISE", "x:1")
            .config()
            .cluster
            .advertised(4711),
        "x:1"
    );
}
