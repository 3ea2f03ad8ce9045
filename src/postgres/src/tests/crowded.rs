//! A server that takes no more connections.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use zephyrfs_core::engine::{Engine as _, EngineError, Freshness};

use super::support::{PATIENCE, counted, eventually, file, options, register_nodes, start_with};
use crate::PostgresEngine;
use crate::testing::Server;

/// A server that takes five connections of whoever has no right to more, and the URL of a database for one of those.
fn crowded() -> (Server, String) {
    let server = Server::start(&[
        "fsync=off",
        "max_connections=8",
        "superuser_reserved_connections=3",
    ]);
    let url = server.url("crowded");
    // A user of its own, for whom nothing is reserved.
    server.sql("crowded", "CREATE ROLE tenant LOGIN").unwrap();
    server
        .sql("crowded", "GRANT CREATE ON SCHEMA public TO tenant")
        .unwrap();
    (server, url.replace("coordinator@", "tenant@"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_free_connections_is_waited_for_with_its_reason() {
    let (_server, url) = crowded();
    let mut taken = Vec::new();
    while let Ok(connection) = sqlx::PgConnection::connect(&url).await {
        taken.push(connection);
    }
    let engine = PostgresEngine::start(options(&url, "one")).unwrap();
    eventually("it says what is lacking", || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains("raise max_connections"))
    })
    .await;
    assert_eq!(engine.failure(), None, "it may have room later");
    drop(taken);
    tokio::time::timeout(PATIENCE, engine.recovered())
        .await
        .unwrap()
        .unwrap();
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_share_the_connections_that_the_server_gives() {
    let (_server, url) = crowded();
    let (mut own, counts) = counted(&url, "one");
    own.max_connections = 16;
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    for round in 0..3 {
        let ids: Vec<String> = (0..40).map(|number| format!("f{round}-{number}")).collect();
        let writes = ids.iter().map(|id| engine.execute(file(id, 2), PATIENCE));
        let reads = ids.iter().map(|_| engine.files(None, 10, Freshness::default()));
        let (written, read) = tokio::join!(
            futures::future::join_all(writes),
            futures::future::join_all(reads)
        );
        for outcome in written {
            outcome.unwrap();
        }
        for outcome in read {
            outcome.unwrap();
        }
    }
    // One more than the instance has for itself.
    let looks = counts.looks();
    eventually("it looked since", || counts.looks() > looks + 1).await;
    let open = counts.open();
    assert!((1..=4).contains(&open), "{open} connections are said to be open");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_no_connection_in_time_hears_what_the_server_lacks() {
    let (_server, url) = crowded();
    let mut own = options(&url, "one");
    own.acquire_timeout = Duration::from_millis(500);
    let engine = start_with(own).await;
    let mut taken = Vec::new();
    while let Ok(connection) = sqlx::PgConnection::connect(&url).await {
        taken.push(connection);
    }
    let refused = engine.files(None, 10, Freshness::default()).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Overloaded { reason } if reason.contains("raise max_connections of the server")),
        "{refused:?}"
    );
    drop(taken);
    let began = Instant::now();
    while engine.files(None, 10, Freshness::default()).await.is_err() {
        assert!(began.elapsed() < PATIENCE);
    }
    engine.stop().await;
}
