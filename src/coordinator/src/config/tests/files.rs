use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::{ConfigArgs, Sources, load};
use super::setup;

#[test]
fn without_any_source_the_defaults_hold() {
    let loaded = setup().load().unwrap();
    assert_eq!(loaded.config.grpc.port, 8080);
    assert_eq!(
        loaded.config.coordinator.cleanup_interval,
        Duration::from_secs(300)
    );
    assert_eq!(loaded.config.cluster.name, "replica-a");
    assert_eq!(loaded.file, None);
}

#[test]
fn files_that_set_nothing_leave_the_defaults() {
    let defaults = setup().config();
    for text in [
        "",
        "\n# nothing\n",
        "---\n",
        "~",
        "{}",
        "grpc:\nhttp: ~\ndev:\nprofiles:\n  x:\n",
    ] {
        assert_eq!(setup().yaml(text).config(), defaults, "{text:?}");
    }
}

#[test]
fn values_of_every_type_are_read() {
    let config = setup()
        .yaml(
            "data_path: /srv\n\
             grpc: {port: 9090, enable_reflection: true, max_message_size: 1_048_576}\n\
             http:\n  enabled: no\n  cors_origins: [https://a.example, 'http://b.example:81']\n\
             coordinator:\n  heartbeat_interval: 1m30s\n  node_inactive_after: 1h0m0s\n  brake_ratio: 1\n\
             cluster:\n  name: a-0\n  replicas: \"3\"\n  peers: a-0:8092, a-1:8092\n",
        )
        .config();
    assert_eq!(config.data_path, PathBuf::from("/srv"));
    assert_eq!((config.grpc.port, config.grpc.enable_reflection), (9090, true));
    assert_eq!(config.grpc.max_message_size, 1 << 20);
    assert!(!config.http.enabled);
    assert_eq!(
        config.http.cors_origins,
        ["https://a.example", "http://b.example:81"]
    );
    assert_eq!(config.coordinator.heartbeat_interval, Duration::from_secs(90));
    assert_eq!(config.coordinator.node_inactive_after, Duration::from_secs(3600));
    assert_eq!(
        (config.cluster.name.as_str(), config.cluster.replicas),
        ("a-0", 3)
    );
    let peers: Vec<String> = config.cluster.peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["a-0:8092", "a-1:8092"]);
}

#[test]
fn words_and_digits_that_are_names_stay_as_written() {
    for name in ["no", "on", "y", "007"] {
        assert_eq!(
            setup()
                .yaml(&format!("cluster: {{name: {name}}}"))
                .config()
                .cluster
                .name,
            name
        );
    }
}

#[test]
fn the_file_is_named_by_the_flag_then_by_the_variable_then_by_default() {
    let all = || {
        setup()
            .file("flag.yaml", "grpc: {port: 1}")
            .file("variable.yaml", "grpc: {port: 2}")
            .yaml("grpc: {port: 3}")
    };
    let by_flag = all()
        .env("CONFIG_PATH", "variable.yaml")
        .arg("-config")
        .arg("flag.yaml")
        .load()
        .unwrap();
    assert_eq!(
        (by_flag.config.grpc.port, by_flag.file),
        (1, Some(PathBuf::from("flag.yaml")))
    );
    assert_eq!(all().env("CONFIG_PATH", "variable.yaml").config().grpc.port, 2);
    assert_eq!(all().env("CONFIG_PATH", "").config().grpc.port, 3);
}

#[test]
fn a_named_file_must_exist() {
    for setup in [
        setup().arg("--config").arg("gone.yaml"),
        setup().env("CONFIG_PATH", "gone.yaml"),
    ] {
        let error = setup.error();
        assert!(
            error.contains("gone.yaml") && error.contains("no such file"),
            "{error}"
        );
    }
}

#[test]
fn a_default_file_that_exists_but_cannot_be_read_is_an_error() {
    let read_file = |_: &Path| Err(io::Error::new(io::ErrorKind::PermissionDenied, "not yours"));
    let environment = Default::default();
    let sources = Sources {
        environment: &environment,
        read_file: &read_file,
        host_name: "h",
    };
    let error = load(&ConfigArgs::default(), &sources).unwrap_err().to_string();
    assert!(
        error.contains("config.yaml") && error.contains("not yours"),
        "{error}"
    );
}

#[test]
fn broken_yaml_is_an_error_with_file_and_line() {
    for (text, line, problem) in [
        ("grpc:\n  port: [1, 2\nhttp: x\n", 3, "':'"),
        (
            "grpc:\n  port: 1\n\n  port: 2\n",
            4,
            "the key `port` is given twice",
        ),
        (
            "grpc: {}\nhttp: {}\ngrpc: {}\n",
            3,
            "the key `grpc` is given twice",
        ),
        ("grpc: {}\n---\ngrpc: {}\n", 3, "second YAML document"),
        ("grpc:\n  port: !secret x\n", 2, "unsupported tag"),
        ("grpc:\n  port: *nothing\n", 2, "unknown anchor"),
    ] {
        let error = setup().file("c.yaml", text).arg("--config=c.yaml").error();
        assert!(
            error.starts_with(&format!("c.yaml, line {line}: ")) && error.contains(problem),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_unfolds_aliases_without_end_is_refused() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(",");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let error = setup().yaml(&text).error();
    assert!(error.contains("budget"), "{error}");
    let error = setup().yaml(&"{a: ".repeat(5000)).error();
    assert!(error.contains("config.yaml, line 1"), "{error}");
}

#[test]
fn anchors_and_merges_are_understood() {
    let config = setup().yaml("grpc: &g {port: 1}\ndev:\n  grpc:\n    <<: *g\n    enable_reflection: true\n");
    assert_eq!(config.arg("--profile=dev").config().grpc.port, 1);
}
