//! Probes are answered from memory.

use serde_json::json;
use zephyrfs_coordinator::health::Phase;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_without_any_node_is_healthy() {
    let server = Server::start().await;
    for path in ["/live", "/ready", "/health"] {
        let report = server.probe(path).await;
        assert_eq!(
            (report.status.as_u16(), &report.body["status"]),
            (200, &json!("healthy")),
            "{path}"
        );
        for (name, check) in report.body["checks"].as_object().unwrap() {
            assert_eq!(check["status"], "healthy", "{path}: {name}");
            assert!(check["detail"].is_string());
        }
        let head = reqwest::Client::new()
            .head(format!("{}{path}", server.health))
            .send()
            .await
            .unwrap();
        assert_eq!(head.status(), 200, "{path}");
    }
    let consensus = &server.probe("/health").await.body["checks"]["consensus"];
    assert!(
        consensus["detail"]
            .as_str()
            .unwrap()
            .starts_with("alone leads in term"),
        "{consensus}"
    );
    let same = server.get("/health").await;
    assert_eq!(same.body["status"], "healthy");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stops_is_alive_but_not_ready() {
    let server = Server::start().await;
    server.lifecycle.enter(Phase::Stopping);
    let ready = server.probe("/ready").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.body["status"]),
        (503, &json!("unhealthy"))
    );
    assert_eq!(
        ready.body["checks"]["lifecycle"],
        json!({"status": "unhealthy", "detail": "stopping"})
    );
    assert_eq!(server.probe("/live").await.status, 200);
    assert_eq!(server.probe("/health").await.status, 503);
    assert_eq!(server.get("/health").await.status, 503);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_ended_is_named() {
    let mut server = Server::start().await;
    server.stop.cancel();
    (&mut server.serving).await.unwrap();
    let ready = server.probe("/ready").await;
    assert_eq!(ready.status, 503);
    let detail = &ready.body["checks"]["listeners"]["detail"];
    assert_eq!(*detail, json!("no connections are taken by: rest"));
    assert_eq!(server.probe("/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_metrics_the_probes_stay() {
    let server = Server::start_with(|settings| settings.shows_metrics = false).await;
    assert_eq!(server.probe("/live").await.status, 200);
    let client = reqwest::Client::new();
    let response = client
        .get(format!("{}/metrics", server.health))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
    server.end().await;
}
