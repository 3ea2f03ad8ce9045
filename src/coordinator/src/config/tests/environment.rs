use std::path::PathBuf;

use super::super::sections::{DatabaseEngine, LogFormat, LogLevel};
use super::setup;

#[test]
fn every_variable_sets_its_key() {
    let config = setup()
        .env("DATA_PATH", "/srv")
        .env("DATABASE_URL", "postgres://u:p@h/d")
        .env("GRPC_PORT", "1")
        .env("HTTP_PORT", "2")
        .env("METRICS_PORT", "3")
        .env("PEER_PORT", "4")
        .env("REPLICA_NAME", "b")
        .env("CLUSTER_REPLICAS", "5")
        .env("CLUSTER_PEERS", "a:1,b:2")
        .env("PEER_ADVERTISE", "b:6")
        .env("LOG_LEVEL", "WARN")
        .env("LOG_FORMAT", "json")
        .config();
    assert_eq!(config.data_path, PathBuf::from("/srv"));
    assert_eq!(config.database.url.unwrap().expose(), "postgres://u:p@h/d");
    assert_eq!(
        (config.grpc.port, config.http.port, config.health.metrics_port),
        (1, 2, 3)
    );
    assert_eq!((config.cluster.peer_port, config.cluster.replicas), (4, 5));
    assert_eq!(
        (config.cluster.name.as_str(), config.cluster.peers.len()),
        ("b", 2)
    );
    assert_eq!(config.cluster.advertise.unwrap().to_string(), "b:6");
    assert_eq!(
        (config.log.level, config.log.format),
        (LogLevel::Warn, LogFormat::Json)
    );
}

#[test]
fn the_environment_wins_over_the_file_and_an_empty_variable_is_none() {
    let file = || setup().yaml("grpc: {port: 1}\ndatabase: {type: bbolt, url: 'postgres://h/file'}");
    assert_eq!(file().env("GRPC_PORT", " 2 ").config().grpc.port, 2);
    assert_eq!(file().env("GRPC_PORT", "").config().grpc.port, 1);
    let url = file()
        .env("DATABASE_URL", "postgres://h/env")
        .config()
        .database
        .url
        .unwrap();
    assert_eq!(url.expose(), "postgres://h/env");
    let from_a_file = setup()
        .env("DATABASE_URL", "postgres://h/d\n")
        .config()
        .database
        .url
        .unwrap();
    assert_eq!(from_a_file.expose(), "postgres://h/d");
}

#[test]
fn a_wrong_variable_is_named_with_its_key() {
    assert_eq!(
        setup().env("GRPC_PORT", "tcp://10.0.0.1:8080").error(),
        "environment variable GRPC_PORT: `grpc.port` must be a port from 0 to 65535 (0 picks a free one), \
         but is `tcp://10.0.0.1:8080`"
    );
    assert_eq!(
        setup().env("LOG_LEVEL", "loud").error(),
        "environment variable LOG_LEVEL: `log.level` must be debug, info, warn or error, but is `loud`"
    );
}

#[test]
fn database_url_selects_postgres_only_where_no_type_is_chosen() {
    let engine = |setup: super::Setup| {
        setup
            .env("DATABASE_URL", "postgresql://u:p@h/d")
            .config()
            .database
            .engine
    };
    assert_eq!(engine(setup()), DatabaseEngine::Postgres);
    assert_eq!(
        engine(setup().yaml("database: {path: x.db}")),
        DatabaseEngine::Postgres
    );
    assert_eq!(
        engine(setup().yaml("database: {type: redb}")),
        DatabaseEngine::Redb
    );
    assert_eq!(
        engine(setup().yaml("database: {type: bbolt}")),
        DatabaseEngine::Redb
    );
    assert_eq!(
        engine(setup().yaml("dev: {database: {type: redb}}")),
        DatabaseEngine::Postgres
    );
    let by_profile = setup().yaml("dev: {database: {type: redb}}").arg("--profile=dev");
    assert_eq!(engine(by_profile), DatabaseEngine::Redb);
    assert_eq!(
        engine(setup().arg("--set=database.type=redb")),
        DatabaseEngine::Redb
    );
    assert_eq!(
        setup().env("DATABASE_URL", "").config().database.engine,
        DatabaseEngine::Redb
    );
    let by_file = setup().yaml("database: {url: 'postgres://h/d'}").config();
    assert_eq!(by_file.database.engine, DatabaseEngine::Redb);
}
