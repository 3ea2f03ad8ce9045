//! A database that has no room left.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use zephyrfs_core::Engine as _;
use zephyrfs_core::engine::EngineError;

use super::support::{
    Counts, PATIENCE, counted, database, eventually, file, has, leader, register_nodes, sql, start,
    start_with,
};
use crate::PostgresEngine;
use crate::error::StoreError;
use crate::testing::{Server, SmallDisk};

/// Megabytes: a few for the server's own tables, or for its log.
const SIZE: u32 = 64;

/// Registers files until one is refused: those that were acknowledged, the one that was not, and why.
async fn until_refused(engine: &PostgresEngine, within: Duration) -> (Vec<String>, String, EngineError) {
    let mut acknowledged = Vec::new();
    loop {
        let id = format!("f-{}", acknowledged.len());
        match engine.execute(file(&id, 50), within).await {
            Ok(_) => acknowledged.push(id),
            Err(error) => return (acknowledged, id, error),
        }
        // What is in pages that are there already is room as well, and not much.
        assert!(acknowledged.len() < 10_000, "there is room for everything");
    }
}

/// Registers a file as soon as that is possible again.
async fn until_taken(engine: &PostgresEngine, id: &str) {
    let began = Instant::now();
    while let Err(error) = engine.execute(file(id, 50), PATIENCE).await {
        assert!(began.elapsed() < PATIENCE, "it does not go on: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A file is found as often as one likes, while the instance looks at the database again and again.
async fn reads_while_it_looks(engine: &PostgresEngine, counts: &Counts, id: &str) {
    let looks = counts.looks();
    while counts.looks() < looks + 20 {
        assert!(has(engine, id).await);
        assert_eq!(engine.status().not_ready, None);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_tables_have_no_room_writes_are_refused_with_the_reason_and_reads_go_on() {
    let Some(disk) = SmallDisk::mount(SIZE) else {
        return;
    };
    let server = Server::start(&["fsync=off"]);
    let (own, counts) = counted(&server.url_at("small", &disk.path()), "one");
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    engine.execute(file("before", 50), PATIENCE).await.unwrap();
    disk.fill();
    let (mut acknowledged, refused, error) = until_refused(&engine, PATIENCE).await;
    assert!(
        matches!(&error, EngineError::Unavailable { reason } if reason.contains("no room left")),
        "{error:?}"
    );
    // Also when the instance noticed that it cannot write either what it would.
    reads_while_it_looks(&engine, &counts, "before").await;
    let error = engine.execute(file("again", 50), PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("free space on its disk"), "{error:?}");
    disk.free();
    until_taken(&engine, "after").await;
    eventually("somebody leads", || engine.status().leads).await;
    acknowledged.push("after".to_owned());
    for id in acknowledged {
        assert!(has(&engine, &id).await, "{id} was acknowledged and is gone");
    }
    for id in [refused.as_str(), "again"] {
        assert!(!has(&engine, id).await, "{id} was refused and is there");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_room_for_its_log_gives_up_and_comes_back_with_every_acknowledged_write() {
    let Some(disk) = SmallDisk::mount(SIZE) else {
        return;
    };
    let mut server = Server::start_with_log_at(&disk.path(), &["fsync=off"]);
    let engine = start(&server.url("small"), "one").await;
    register_nodes(&engine).await;
    engine.execute(file("before", 50), PATIENCE).await.unwrap();
    disk.fill();
    // Whether the last one was written is asked as long as there is time, of a server that does not come back.
    let within = Duration::from_secs(10);
    let (mut acknowledged, refused, error) = until_refused(&engine, within).await;
    let nothing_happened = match error {
        EngineError::Unavailable { .. } => true,
        EngineError::UnknownOutcome { .. } => false,
        error => panic!("{error:?}"),
    };
    assert!(server.log().contains("PANIC"), "{}", server.log());
    eventually("it says that it is not ready", || {
        engine.status().not_ready.is_some()
    })
    .await;
    assert_eq!(engine.failure(), None, "a restart would mend nothing");
    disk.free();
    // It may have ended: then somebody who made room starts it again.
    server.kill();
    server.run();
    until_taken(&engine, "after").await;
    acknowledged.extend(["before".to_owned(), "after".to_owned()]);
    for id in acknowledged {
        assert!(has(&engine, &id).await, "{id} was acknowledged and is gone");
    }
    assert!(
        !(nothing_happened && has(&engine, &refused).await),
        "it was refused and is there"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hears_that_the_server_gives_up_does_not_know_what_was_written() {
    let Some(disk) = SmallDisk::mount(SIZE) else {
        return;
    };
    let server = Server::start_with_log_at(&disk.path(), &["fsync=off"]);
    let mut connection = PgConnection::connect(&server.url("small")).await.unwrap();
    disk.fill();
    let error = loop {
        // The next piece of the log is begun each time that something is in the last one.
        let switched = sqlx::query("SELECT pg_switch_wal() FROM pg_logical_emit_message(false, '', '')");
        if let Err(error) = switched.execute(&mut connection).await {
            break error;
        }
    };
    // Its code is that of a full disk, after which nothing would have happened.
    let error = StoreError::from(error);
    assert!(error.is_gone(), "{error}");
}

/// Every row of an instance itself takes room; a table with free pages would hide what happens when there is none.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_room_for_rows_of_its_own_reads_and_goes_on_when_there_is_some() {
    const OWN: [&str; 3] = ["coordinator", "instances", "events"];
    let (own, counts) = counted(&database("no_room"), "one");
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    leader(&[&engine]).await;
    sql(
        "no_room",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''no room'' USING ERRCODE = ''disk_full''; END'",
    );
    for table in OWN {
        let refuse = "FOR EACH ROW EXECUTE FUNCTION refuse()";
        sql(
            "no_room",
            &format!("CREATE TRIGGER refuse BEFORE UPDATE ON {table} {refuse}"),
        );
    }
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    reads_while_it_looks(&engine, &counts, "f").await;
    eventually("it does not lead", || !engine.status().leads).await;
    reads_while_it_looks(&engine, &counts, "f").await;
    let place = engine.status().applied;
    for table in OWN {
        sql("no_room", &format!("DROP TRIGGER refuse ON {table}"));
    }
    eventually("it leads, and tells watchers of the file", || {
        engine.status().leads && engine.status().applied > place
    })
    .await;
    engine.stop().await;
}
