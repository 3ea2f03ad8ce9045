use super::setup;

/// Text of a file, and what the message must contain besides the name of the file.
const WRONG: [(&str, &[&str]); 33] = [
    (
        "grpc: {port: abc}",
        &["`grpc.port`", "a port from 0 to 65535", "`abc`"],
    ),
    ("grpc: {port: 65536}", &["`grpc.port`", "65535", "`65536`"]),
    ("grpc: {port: -1}", &["`grpc.port`", "`-1`"]),
    ("grpc: {port: 80.5}", &["`grpc.port`", "`80.5`"]),
    ("grpc: {port: true}", &["`grpc.port`", "`true`"]),
    ("grpc: {port: }", &["`grpc.port`", "but is empty"]),
    ("grpc: {port: ''}", &["`grpc.port`", "but is empty"]),
    ("grpc: {port: [1]}", &["`grpc.port`", "a list"]),
    ("grpc: {port: {a: 1}}", &["`grpc.port`", "a section"]),
    ("grpc: {port: 99999999999999999999999}", &["`grpc.port`"]),
    (
        "grpc: {max_message_size: 1}",
        &["`grpc.max_message_size`", "bytes from 1024 to 1073741824", "`1`"],
    ),
    (
        "http: {enabled: maybe}",
        &["`http.enabled`", "true or false", "`maybe`"],
    ),
    (
        "http: {enabled: 1}",
        &["`http.enabled`", "true or false", "number `1`"],
    ),
    (
        "http: {cors_origins: ['*', 'https://a.b']}",
        &["`http.cors_origins`", "a list"],
    ),
    (
        "http: {cors_origins: https://a.b/path}",
        &["`http.cors_origins`", "`https://a.b/path`"],
    ),
    (
        "http: {cors_origins: ''}",
        &["`http.cors_origins`", "but is empty"],
    ),
    (
        "coordinator: {heartbeat_interval: 10}",
        &["`coordinator.heartbeat_interval`", "such as 250ms", "number `10`"],
    ),
    (
        "coordinator: {heartbeat_interval: soon}",
        &["a duration", "`soon`"],
    ),
    (
        "coordinator: {heartbeat_interval: 0s}",
        &["from 10ms to 1day", "`0s`"],
    ),
    (
        "coordinator: {heartbeat_interval: -5s}",
        &["`coordinator.heartbeat_interval`", "`-5s`"],
    ),
    (
        "coordinator: {heartbeat_interval: 18446744073709551615s1000ms}",
        &["a duration"],
    ),
    (
        "coordinator: {brake_ratio: 1.5}",
        &["`coordinator.brake_ratio`", "from 0.01 to 1", "`1.5`"],
    ),
    (
        "coordinator: {brake_ratio: .nan}",
        &["`coordinator.brake_ratio`", "`.nan`"],
    ),
    (
        "coordinator: {replication_factor: 0}",
        &["`coordinator.replication_factor`", "from 1 to 100", "`0`"],
    ),
    (
        "database: {type: mysql}",
        &["`database.type`", "redb, bbolt or postgres", "`mysql`"],
    ),
    (
        "database: {path: 5}",
        &["`database.path`", "a path", "the number `5`"],
    ),
    ("cluster: {name: 'a b'}", &["`cluster.name`", "letters", "`a b`"]),
    (
        "cluster: {peers: 'a:1,b'}",
        &["`cluster.peers`", "addresses such as", "`a:1,b`"],
    ),
    ("cluster: {peers: [a:1, 2]}", &["`cluster.peers`", "a list"]),
    (
        "cluster: {advertise: 'http://a:1'}",
        &["`cluster.advertise`", "an address"],
    ),
    ("grpc: 5", &["`grpc` must be a section", "a number"]),
    ("- a", &["the file must be a section", "a list"]),
    ("dev: text", &["`dev` must be a section", "a text"]),
];

#[test]
fn a_wrong_value_is_an_error_with_file_key_value_and_what_is_expected() {
    for (text, parts) in WRONG {
        let error = setup().yaml(text).error();
        assert!(error.starts_with("config.yaml: "), "{text}: {error}");
        for part in parts {
            assert!(error.contains(part), "{text}: {error}: {part}");
        }
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_it_and_the_nearest() {
    for (text, key, nearest) in [
        ("grpc: {prot: 1}", "grpc.prot", "grpc.port"),
        ("gprc: {port: 1}", "gprc", "grpc"),
        ("gprc:", "gprc", "grpc"),
        (
            "replication_factor: 3",
            "replication_factor",
            "coordinator.replication_factor",
        ),
        (
            "coordinator: {repair_delay: {few: 1s}, x: 1}",
            "coordinator.x",
            "coordinator.",
        ),
        ("Grpc: {port: 1}", "Grpc", "grpc"),
        ("profile: {a: {}}", "profile", "profiles"),
        ("limits: {8080: 1}", "limits.8080", "limits."),
    ] {
        let error = setup().yaml(text).error();
        let expected = format!("config.yaml: unknown key `{key}`; the nearest known one is `{nearest}");
        assert!(error.starts_with(&expected), "{text}: {error}");
    }
}

#[test]
fn a_key_with_dots_is_told_to_be_nested() {
    let error = setup().yaml("grpc.port: 1").error();
    assert!(
        error.starts_with("config.yaml: unknown key `grpc.port`; a key in a file has no dots"),
        "{error}"
    );
}

#[test]
fn foreign_text_cannot_break_the_line() {
    let error = setup().yaml("\"a\\nb\\e[31m\": 1").error();
    assert!(error.contains("a\\nb\\u{1b}[31m"), "{error}");
    let error = setup().yaml("grpc: {port: \"x\\ny\"}").error();
    assert!(error.contains("`x\\ny`"), "{error}");
    let error = setup()
        .yaml(&format!("grpc: {{port: {}}}", "x".repeat(10_000)))
        .error();
    assert!(error.len() < 400, "{error}");
}

#[test]
fn optional_values_may_be_empty() {
    for text in [
        "database: {url: ''}",
        "database: {url: }",
        "cluster: {peers: , advertise: '', name: ~}",
    ] {
        assert_eq!(setup().yaml(text).config(), setup().config(), "{text}");
    }
    assert!(
        setup()
            .yaml("cluster: {peers: []}")
            .config()
            .cluster
            .peers
            .is_empty()
    );
    assert!(
        setup()
            .yaml("http: {cors_origins: []}")
            .config()
            .http
            .cors_origins
            .is_empty()
    );
    let emptied = setup().yaml("database: {url: 'postgres://h/d'}\ndev: {database: {url: ''}}");
    assert_eq!(emptied.arg("--profile=dev").config().database.url, None);
}
