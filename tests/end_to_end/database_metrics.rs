//! What an instance over PostgreSQL tells Prometheus of its work at the database.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use zephyrfs_tests::{Answer, PostgresServer, Rest, TestNode, until};

const DURATION: &str = "coordinator_database_operation_duration_seconds";

async fn register(rest: &Rest, id: &str) -> Answer {
    let chunk = json!({"chunk_id": format!("{id}-0"), "hash": "h", "size": 1_000});
    let body =
        json!({"file_id": id, "file_name": id, "file_size": 1_000, "file_hash": id, "chunks": [chunk]});
    rest.post("/api/v1/files/register", &body).await
}

/// The value of a metric with its labels; 0 while there is none.
async fn metric(node: &TestNode, name: &str) -> f64 {
    let text = node.health().text("/metrics").await;
    let mut values = text.lines().filter_map(|line| line.rsplit_once(' '));
    let value = values.find(|(found, _)| *found == name);
    value.map_or(0.0, |(_, value)| value.parse().unwrap())
}

/// How many operations of a name went well, and the seconds that all of them took.
async fn done(node: &TestNode, operation: &str) -> (f64, f64) {
    let labels = format!("operation=\"{operation}\",outcome=\"ok\"");
    (
        metric(node, &format!("{DURATION}_count{{{labels}}}")).await,
        metric(node, &format!("{DURATION}_sum{{{labels}}}")).await,
    )
}

/// How many registrations of files were tried again.
async fn retried(node: &TestNode, cause: &str) -> f64 {
    let labels = format!("cause=\"{cause}\",operation=\"register_file\"");
    metric(node, &format!("coordinator_database_retries_total{{{labels}}}")).await
}

async fn instance(server: &PostgresServer) -> TestNode {
    let url = server.url("zephyrfs");
    let environment = [("DATABASE_URL", url.as_str())];
    TestNode::start_with(&environment, &["--set", "limits.request_timeout=30s"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_at_the_database_are_counted_with_the_time_that_they_took() {
    let server = PostgresServer::start(&["fsync=off"]);
    let mut node = instance(&server).await;
    node.register_nodes(4).await;
    assert_eq!(done(&node, "register_node").await.0, 4.0);
    assert_eq!(done(&node, "register_file").await, (0.0, 0.0));
    let began = Instant::now();
    assert_eq!(register(&node.rest(), "f").await.status, 201);
    let at_most = began.elapsed().as_secs_f64();
    let (count, seconds) = done(&node, "register_file").await;
    assert_eq!(count, 1.0);
    assert!(
        seconds > 0.0 && seconds <= at_most,
        "it took {at_most} s, of which {seconds} s at the database"
    );
    let all = format!("{DURATION}_bucket{{operation=\"register_file\",outcome=\"ok\",le=\"+Inf\"}}");
    assert_eq!(metric(&node, &all).await, 1.0);
    let views = done(&node, "view").await.0;
    assert_eq!(node.rest().get("/api/v1/files/f").await.status, 200);
    assert!(done(&node, "view").await.0 > views);
    assert_eq!(node.rest().get("/api/v1/files/g").await.status, 404);
    until("a connection is idle and none is busy", async || {
        let of = async |state| {
            let name = format!("coordinator_database_connections{{state=\"{state}\"}}");
            metric(&node, &name).await
        };
        (of("idle").await >= 1.0 && of("busy").await == 0.0).then_some(())
    })
    .await;
    server
        .sql("zephyrfs", "ALTER TABLE files RENAME TO away")
        .unwrap();
    assert_eq!(register(&node.rest(), "g").await.status, 500);
    let failed = format!("{DURATION}_count{{operation=\"register_file\",outcome=\"error\"}}");
    assert_eq!(metric(&node, &failed).await, 1.0);
    assert_eq!(done(&node, "register_file").await.0, 1.0);
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_counted_each_time_that_it_is_tried_again_with_the_cause() {
    let server = Arc::new(PostgresServer::start(&["fsync=off"]));
    let mut node = instance(&server).await;
    node.register_nodes(4).await;
    assert_eq!(register(&node.rest(), "f").await.status, 201);
    assert_eq!(retried(&node, "conflict").await, 0.0);
    // Somebody holds a table until he is told to let go of it; not for ever, should this test fail.
    server.sql("zephyrfs", "CREATE TABLE let_go ()").unwrap();
    let holder = tokio::task::spawn_blocking({
        let server = Arc::clone(&server);
        let hold = "SET statement_timeout = '60s'; DO 'BEGIN LOCK TABLE files IN ACCESS EXCLUSIVE MODE; \
            WHILE NOT EXISTS (SELECT FROM let_go) LOOP PERFORM pg_sleep(0.01); END LOOP; END'";
        move || server.sql("zephyrfs", hold)
    });
    until("the table is held", async || {
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'files'::regclass AND granted \
            AND mode = 'AccessExclusiveLock'";
        (server.sql("zephyrfs", held).unwrap() == "1").then_some(())
    })
    .await;
    let registering = tokio::spawn({
        let rest = node.rest();
        async move { register(&rest, "g").await }
    });
    until("the registration is in somebody's way", async || {
        (retried(&node, "conflict").await > 0.0).then_some(())
    })
    .await;
    assert_eq!(retried(&node, "connection").await, 0.0);
    until("the registration loses its connection", async || {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'zephyrfs' \
            AND wait_event_type = 'Lock'";
        server.sql("zephyrfs", cut).unwrap();
        (retried(&node, "connection").await > 0.0).then_some(())
    })
    .await;
    server
        .sql("zephyrfs", "INSERT INTO let_go DEFAULT VALUES")
        .unwrap();
    let registered = registering.await.unwrap();
    assert_eq!(registered.status, 201, "{registered:?}");
    holder.await.unwrap().unwrap();
    // A row waits a quarter of a second for whoever holds it before it is tried again.
    let (count, seconds) = done(&node, "register_file").await;
    assert_eq!(count, 2.0);
    assert!(seconds > 0.25, "both took {seconds} s, with all attempts");
    assert_eq!(node.stop().await, Some(0));
}
