use super::super::table::SETTINGS;
use super::super::{effective_yaml, markdown_table};
use super::setup;

#[test]
fn the_printed_configuration_sets_the_same_again() {
    let loaded = setup()
        .yaml(
            "data_path: 'a \"b\" # c: {}'\nhttp: {cors_origins: []}\n\
             coordinator: {gc_grace: 90m, repair_delay: 0s, repair_delay_few: 2520001ms, brake_ratio: 0.25}\n\
             dev: {cluster: {replicas: 3}}",
        )
        .env("CLUSTER_PEERS", "a:1,b:2")
        .arg("--profile=dev")
        .arg("--grpc-port=0")
        .load()
        .unwrap();
    let printed = effective_yaml(&loaded.effective);
    assert_eq!(setup().yaml(&printed).config(), loaded.config, "{printed}");
}

#[test]
fn the_printed_configuration_tells_where_values_came_from() {
    let loaded = setup()
        .yaml("http: {port: 1}")
        .env("GRPC_PORT", "2")
        .arg("--metrics-port=3")
        .load()
        .unwrap();
    let printed = effective_yaml(&loaded.effective);
    for line in [
        "data_path: \"./data\"\n",
        "database:\n  type: \"redb\"\n",
        "  # url is not set\n",
        "  port: 1  # config.yaml\n",
        "  port: 2  # environment variable GRPC_PORT\n",
        "  metrics_port: 3  # --metrics-port\n",
        "  name: \"replica-a\"  # host name\n",
        "  cleanup_interval: 5m\n",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

#[test]
fn the_reference_has_a_row_for_every_setting() {
    let table = markdown_table();
    assert_eq!(table.lines().count(), SETTINGS.len() + 2);
    for row in [
        "| `grpc.port` | `8080` | GRPC_PORT | `--grpc-port` | port of the gRPC API; 0 picks a free one, for tests |",
        "| `cluster.name` | host name | REPLICA_NAME |  | stable name of this replica |",
        "| `database.url` |  | DATABASE_URL |  | PostgreSQL URL; never shown |",
    ] {
        assert!(table.lines().any(|line| line == row), "{row}: {table}");
    }
}

#[test]
fn the_readme_has_the_table_of_settings() {
    let readme = include_str!("../../../../../README.md");
    let table = markdown_table();
    assert!(
        readme.contains(table.trim()),
        "put the output of `coordinator config --reference` into README.md"
    );
}
