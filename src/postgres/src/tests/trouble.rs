//! A database that goes away, comes back, or does not do what is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::{Engine as _, EngineError, Freshness};

use super::support::{
    PATIENCE, counted, database, eventually, file, has, log_of, options, register_nodes, sql, start,
    start_with,
};
use crate::testing::Server;
use crate::{PostgresEngine, StartError};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_gone_requests_are_refused_soon_and_all_goes_on_when_it_is_back() {
    let mut server = Server::start(&[]);
    let engine = start(&server.url("gone"), "one").await;
    register_nodes(&engine).await;
    engine.execute(file("before", 8), PATIENCE).await.unwrap();
    server.kill();
    let began = Instant::now();
    let refused = engine
        .execute(file("meanwhile", 8), Duration::from_secs(10))
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            EngineError::Unavailable { .. } | EngineError::UnknownOutcome { .. }
        ),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(11));
    eventually("it says that it is not ready", || {
        engine.status().not_ready.is_some()
    })
    .await;
    let began = Instant::now();
    let refused = engine
        .view(ReadSet::default(), Freshness::default())
        .await
        .unwrap_err();
    assert!(matches!(refused, EngineError::Unavailable { .. }), "{refused:?}");
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "it is known by now, so nobody waits"
    );
    assert_eq!(engine.failure(), None, "a restart would mend nothing");
    server.run();
    eventually("it is ready again", || engine.status().not_ready.is_none()).await;
    assert!(has(&engine, "before").await);
    engine.execute(file("after", 8), PATIENCE).await.unwrap();
    assert!(has(&engine, "after").await);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_waits_for_its_database_at_the_start() {
    let mut server = Server::start(&["fsync=off"]);
    let url = server.url("later");
    server.kill();
    let engine = PostgresEngine::start(options(&url, "one")).unwrap();
    eventually("it says what it waits for", || {
        engine
            .status()
            .not_ready
            .is_some_and(|reason| reason.contains("does not answer"))
    })
    .await;
    server.run();
    tokio::time::timeout(PATIENCE, engine.recovered())
        .await
        .unwrap()
        .unwrap();
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_newer_version_are_left_alone() {
    let url = database("newer");
    start(&url, "one").await.stop().await;
    sql("newer", "UPDATE schema_version SET version = 1000");
    let engine = PostgresEngine::start(options(&url, "one")).unwrap();
    let error = tokio::time::timeout(PATIENCE, engine.recovered())
        .await
        .unwrap()
        .unwrap_err();
    let StartError::Unusable(reason) = error else {
        panic!("{error}");
    };
    assert!(reason.contains("of version 1000"), "{reason}");
    assert!(reason.contains("run the newer coordinator"), "{reason}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_instances_may_make_the_tables_at_once() {
    let url = database("together");
    let starts =
        (0..8).map(|number| start_with(options(&url, ["a", "b", "c", "d", "e", "f", "g", "h"][number])));
    let engines = futures::future::join_all(starts).await;
    assert_eq!(sql("together", "SELECT count(*) FROM coordinator"), "1");
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_says_so() {
    let url = database("standby");
    let engine = start(&url, "one").await;
    register_nodes(&engine).await;
    sql(
        "postgres",
        "ALTER DATABASE standby SET default_transaction_read_only = on",
    );
    sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'standby'",
    );
    eventually("it says so", || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains("takes no writes") && reason.contains("primary"))
    })
    .await;
    let refused = engine.execute(file("f", 1), PATIENCE).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Unavailable { reason } if reason.contains("takes no writes")),
        "{refused:?}"
    );
    sql(
        "postgres",
        "ALTER DATABASE standby RESET default_transaction_read_only",
    );
    eventually("it goes on", || engine.status().not_ready.is_none()).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_connections_are_busy_requests_are_refused_as_too_many() {
    let url = database("busy");
    let mut own = options(&url, "one");
    own.max_connections = 1;
    own.acquire_timeout = Duration::from_millis(200);
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    let held = engine.hold_connection().await;
    let refused = engine.execute(file("f", 1), PATIENCE).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Overloaded { reason } if reason.contains("max_connections")),
        "{refused:?}"
    );
    assert_eq!(
        engine.status().not_ready,
        None,
        "another instance would not do better"
    );
    drop(held);
    engine.execute(file("f", 1), PATIENCE).await.unwrap();
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_given_up_and_the_connection_goes_on() {
    let url = database("slow");
    let mut own = options(&url, "one");
    own.max_connections = 1;
    own.statement_timeout = Duration::from_millis(500);
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    sql(
        "slow",
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END'",
    );
    sql(
        "slow",
        "CREATE TRIGGER dawdle BEFORE INSERT ON files FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    let began = Instant::now();
    let refused = engine.execute(file("f", 2), PATIENCE * 2).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Unavailable { reason } if reason.contains("database.statement_timeout")),
        "{refused:?}"
    );
    assert!(
        began.elapsed() < PATIENCE,
        "it is given up long before the request"
    );
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'slow' AND wait_event = 'PgSleep'";
    assert_eq!(sql("slow", busy), "0", "nobody works on what nobody waits for");
    assert_eq!(engine.status().not_ready, None, "other statements may be quick");
    assert!(!has(&engine, "f").await);
    // In vain if a transaction were still open that holds the table.
    sql("slow", "SET lock_timeout = '30s'; DROP TRIGGER dawdle ON files");
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    assert!(has(&engine, "f").await);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_that_was_in_somebodys_way_is_counted() {
    let url = database("in_the_way");
    let (own, counts) = counted(&url, "one");
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    let mut holder = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE files IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *held)
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.execute(file("f", 2), PATIENCE * 2).await }
    });
    eventually("it tries again", || counts.conflicts() > 1).await;
    held.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    let log = log_of("in_the_way");
    let given_up = log.iter().filter(|line| line.contains("due to lock timeout"));
    assert_eq!(counts.conflicts(), given_up.count() as u64, "{log:?}");
    assert_eq!(counts.lost_connections(), 0);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_at_once_and_not_shown() {
    let server = Server::start(&["fsync=off"]);
    let url = server.url("locked");
    server
        .sql("locked", "CREATE ROLE guest LOGIN PASSWORD 'right'")
        .unwrap();
    server.ask_for_passwords();
    let url = url.replace("coordinator@", "guest:hunter2@");
    let engine = PostgresEngine::start(options(&url, "one")).unwrap();
    let error = tokio::time::timeout(PATIENCE, engine.recovered())
        .await
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(error.contains("password"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    engine.stop().await;
    let mut own = options(&url.replace(":hunter2", ""), "one");
    own.password = Some("right".to_owned());
    let engine = PostgresEngine::start(own).unwrap();
    let refused = tokio::time::timeout(PATIENCE, engine.recovered())
        .await
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("permission denied") && refused.contains("make the user the owner of the database"),
        "it is let in, and may not make tables: {refused}"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_shown() {
    let url = "postgres://coordinator:hunter2@127.0.0.1:1/nowhere";
    let own = options(url, "one");
    assert!(!format!("{own:?}").contains("hunter2"));
    let engine = PostgresEngine::start(own).unwrap();
    eventually("it says that nobody answers", || {
        engine
            .status()
            .not_ready
            .is_some_and(|reason| reason.contains("does not answer"))
    })
    .await;
    assert!(!format!("{:?}", engine.status()).contains("hunter2"));
    engine.stop().await;
    for broken in [
        "postgres://coordinator:hunter2@:x/db",
        "postgres://coordinator:hunter2@h:99999/db",
        "postgres://u:p@h/db?sslmode=hunter2",
        "postgres://u:p@h/db?sslpassword=hunter2",
        "hunter2",
    ] {
        let Err(error) = PostgresEngine::start(options(broken, "one")) else {
            continue;
        };
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(error.to_string().contains("database.url"), "{error}");
    }
}
