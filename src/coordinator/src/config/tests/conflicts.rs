use super::setup;

#[test]
fn values_that_exclude_each_other_are_an_error_that_names_both() {
    for (text, first, second) in [
        (
            "coordinator: {replication_factor: 11}",
            "coordinator.replication_factor",
            "coordinator.max_nodes_per_chunk",
        ),
        (
            "coordinator: {heartbeat_interval: 60s}",
            "coordinator.heartbeat_interval",
            "coordinator.node_inactive_after",
        ),
        (
            "coordinator: {heartbeat_interval: 100ms, node_inactive_after: 1s}",
            "coordinator.heartbeat_flush",
            "coordinator.node_inactive_after",
        ),
        (
            "raft: {election_timeout_max: 180ms}",
            "raft.election_timeout_min",
            "raft.election_timeout_max",
        ),
        (
            "raft: {heartbeat_interval: 180ms}",
            "raft.heartbeat_interval",
            "raft.election_timeout_min",
        ),
        (
            "limits: {max_file_size: 1}",
            "limits.max_chunk_size",
            "limits.max_file_size",
        ),
        ("database: {type: postgres}", "database.type", "database.url"),
        ("cluster: {replicas: 3}", "cluster.replicas", "cluster.peers"),
        ("grpc: {port: 8090}", "grpc.port", "http.port"),
        (
            "cluster: {peer_port: 8091}",
            "health.metrics_port",
            "cluster.peer_port",
        ),
    ] {
        let error = setup().yaml(text).error();
        assert!(error.starts_with(&format!("`{first}` (")), "{text}: {error}");
        assert!(error.contains(&format!(" `{second}` (")), "{text}: {error}");
        assert!(
            error.contains("config.yaml)") && error.contains(", default)"),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_conflict_tells_values_and_origins() {
    assert_eq!(
        setup().yaml("http: {port: 7}").env("GRPC_PORT", "7").error(),
        "`grpc.port` (7, environment variable GRPC_PORT) must differ from `http.port` (7, config.yaml); \
         change one of the two"
    );
}

#[test]
fn ports_may_be_equal_when_free_ones_are_picked_or_nobody_listens() {
    setup()
        .yaml("grpc: {port: 0}\nhttp: {port: 0}\nhealth: {metrics_port: 0}\ncluster: {peer_port: 0}")
        .config();
    setup().yaml("http: {enabled: false, port: 8080}").config();
    setup()
        .yaml("health: {metrics_enabled: false, metrics_port: 8080}")
        .config();
}

#[test]
fn what_fits_is_accepted() {
    setup().yaml("coordinator: {replication_factor: 10}").config();
    setup()
        .yaml("cluster: {replicas: 3, peers: 'peers.example:8092'}")
        .config();
    setup()
        .yaml("cluster: {replicas: 3}")
        .env("DATABASE_URL", "postgres://h/d")
        .config();
}
