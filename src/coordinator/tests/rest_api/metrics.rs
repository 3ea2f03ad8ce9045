//! Prometheus is told what happens.

use serde_json::{Value, json};
use zephyrfs_coordinator::service::Repair;

use crate::operations::{repair_until, with_nodes};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_under_bounded_labels() {
    let server = Server::start().await;
    server.register_node("n1").await;
    server.register_node("n2").await;
    server.post_nothing("/api/v1/nodes/n2/drain").await;
    server.register_file("f1", &["c1", "c2"]).await;
    server.post("/api/v1/nodes/n1/heartbeat", json!({})).await;
    for path in ["/api/v1/nodes/one", "/api/v1/nodes/two", "/nowhere", "/elsewhere"] {
        server.get(path).await;
    }
    let text = server.metrics().await;
    for line in [
        "coordinator_nodes_total{status=\"active\"} 1",
        "coordinator_nodes_total{status=\"draining\"} 1",
        "coordinator_nodes_total{status=\"inactive\"} 0",
        "coordinator_files_total 1",
        "coordinator_chunks_total 2",
        "coordinator_unreferenced_chunks 0",
        "coordinator_is_leader 1",
        "coordinator_heartbeats_received_total 1",
        "coordinator_api_requests_total{api=\"rest\",code=\"200\",method=\"POST /api/v1/nodes/register\"} 2",
        "coordinator_api_requests_total{api=\"rest\",code=\"404\",method=\"GET /api/v1/nodes/{id}\"} 2",
        "coordinator_api_requests_total{api=\"rest\",code=\"404\",method=\"unmatched\"} 2",
        "coordinator_api_request_duration_seconds_count{api=\"rest\",method=\"POST /api/v1/files/register\"} 1",
        "coordinator_commands_total{command=\"register_node\",outcome=\"applied\"} 2",
        "coordinator_commands_total{command=\"register_file\",outcome=\"applied\"} 1",
        "coordinator_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no line {line:?} in:\n{text}"
        );
    }
    let applied = server.get("/api/v1/cluster").await.body["applied_index"]
        .as_u64()
        .unwrap();
    let shown: u64 = value(&text, "coordinator_applied_index");
    assert!(shown > 0 && shown <= applied);
    assert!(value::<f64>(&text, "process_resident_memory_bytes") > 1e6);
    assert!(value::<u64>(&text, "process_open_fds") > 0);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_explained_once() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let text = server.metrics().await;
    let mut types = std::collections::BTreeMap::new();
    let mut helped = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && help.len() > 5, "{line}");
            assert!(helped.insert(name), "explained twice: {name}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            types.insert(name, kind);
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            let known = [
                name,
                name.trim_end_matches("_bucket"),
                name.trim_end_matches("_sum"),
                name.trim_end_matches("_count"),
            ];
            assert!(
                known.iter().any(|name| types.contains_key(name)),
                "no type: {line}"
            );
        }
    }
    const LEGACY: [&str; 3] = [
        "coordinator_nodes_total",
        "coordinator_files_total",
        "coordinator_chunks_total",
    ];
    for (name, kind) in types {
        assert!(helped.contains(name), "no help: {name}");
        let ends = name.ends_with("_total");
        assert!(
            ends == (kind == "counter") || LEGACY.contains(&name),
            "{name} is a {kind}"
        );
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_has_a_row_for_every_metric() {
    // Something of every kind happens: a metric with labels is shown once it has a value.
    let (server, nodes) = with_nodes(4).await;
    let mut repair = Repair::default();
    let path = format!("/api/v1/nodes/{}/drain", nodes[0]);
    assert_eq!(server.post_nothing(&path).await.status, 200);
    let has_told = |_, body: &Value| {
        let reason = body["chunks"][0]["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("was told"))
    };
    repair_until(&server, &mut repair, &format!("{path}?chunks=1"), has_told).await;
    let is_over = |_, body: &Value| body["report"]["last_pass"]["chunks"] == 1;
    repair_until(&server, &mut repair, "/api/v1/repair", is_over).await;

    let text = server.metrics().await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    for shown in [
        "coordinator_repair_braked",
        "coordinator_repair_bytes_total",
        "coordinator_chunks_by_copies",
        "coordinator_repair_waiting_chunks",
        "coordinator_drain_remaining_copies",
    ] {
        assert!(names.contains(&shown), "{shown}: {text}");
    }
    let readme = include_str!("../../../../README.md");
    for name in names.iter().filter(|name| name.starts_with("coordinator_")) {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
    server.end().await;
}

fn value<T: std::str::FromStr>(text: &str, name: &str) -> T {
    let line = text
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .unwrap();
    line.split(' ')
        .nth(1)
        .and_then(|value| value.parse().ok())
        .unwrap()
}
