//! A database whose rows go while instances serve them.

use std::sync::Arc;
use std::time::Duration;

use zephyrfs_core::ReadSet;
use zephyrfs_core::engine::{Engine as _, EngineError, EventsError, Freshness};
use zephyrfs_core::units::AppliedIndex;

use super::support::{
    Counts, PATIENCE, counted, eventually, file, has, node, options, register_nodes, start, start_with,
};
use super::ways::unsteady_way;
use crate::PostgresEngine;
use crate::testing::Server;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_no_other_rows_for_those_that_it_served() {
    let server = Server::start(&["fsync=off"]);
    let url = server.url("restored");
    let (own, counts) = counted(&url, "one");
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    let served = engine.status().cluster_id;
    let says_that_they_are_gone = || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains(&format!("the rows of cluster {served}")))
    };
    // As whoever restores a backup begins.
    server
        .sql("postgres", "DROP DATABASE restored WITH (FORCE)")
        .unwrap();
    server.sql("postgres", "CREATE DATABASE restored").unwrap();
    eventually("it says that they are gone", says_that_they_are_gone).await;
    let made = server.sql("restored", "SELECT to_regclass('nodes') IS NULL");
    assert_eq!(made.unwrap(), "t", "it makes no empty service of it");
    let refused = engine.execute(file("g", 2), PATIENCE).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Unavailable { reason } if reason.contains("stop every instance before restoring")),
        "{refused:?}"
    );
    // Nor does it serve another service that somebody begins there.
    let other = start_with(options(&url, "other")).await;
    assert_ne!(other.status().cluster_id, served);
    let looks = counts.looks();
    eventually("it looked again", || counts.looks() > looks + 2).await;
    assert!(says_that_they_are_gone(), "{:?}", engine.status());
    assert!(!engine.status().leads);
    assert_eq!(
        engine.failure(),
        None,
        "started anew by whatever watches over it, it would take what is there"
    );
    other.stop().await;
    engine.stop().await;
}

/// A server with a database of the name, in which an instance has written a file.
async fn served(name: &str) -> (Server, String, Arc<PostgresEngine>, Arc<Counts>) {
    let server = Server::start(&["fsync=off"]);
    let url = server.url(name);
    let (own, counts) = counted(&url, "one");
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    engine.execute(file("f", 2), PATIENCE).await.unwrap();
    (server, url, engine, counts)
}

/// Does something to a database while nobody is connected to it.
fn undisturbed(server: &Server, database: &str, statement: &str) {
    let sql = |statement: &str| server.sql("postgres", statement).unwrap();
    sql(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"));
    // It takes them a moment to go.
    sql(&format!(
        "SELECT pg_terminate_backend(pid, {}) FROM pg_stat_activity WHERE datname = '{database}'",
        PATIENCE.as_millis()
    ));
    sql(statement);
}

/// Puts a database in the place of another, as a promoted standby comes in the place of a server.
fn replace(server: &Server, database: &str, by: &str) {
    undisturbed(
        server,
        database,
        &format!("ALTER DATABASE {database} RENAME TO {database}_that_was"),
    );
    server
        .sql("postgres", &format!("ALTER DATABASE {by} RENAME TO {database}"))
        .unwrap();
}

fn copy(server: &Server, database: &str, to: &str) {
    undisturbed(
        server,
        database,
        &format!("CREATE DATABASE {to} TEMPLATE {database}"),
    );
    server
        .sql(
            "postgres",
            &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"),
        )
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_rows_were_gone_serves_no_backup_that_is_being_read_in() {
    let (server, _, engine, counts) = served("read_in").await;
    copy(&server, "read_in", "backup");
    // Without the rows it is not in use; and then they are there again, but for those that are not yet.
    server.sql("read_in", "DELETE FROM coordinator").unwrap();
    let says_that_they_are_gone = || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains("start this instance anew"))
    };
    eventually("it says that they are gone", says_that_they_are_gone).await;
    server.sql("backup", "DELETE FROM files").unwrap();
    replace(&server, "read_in", "backup");
    let looks = counts.looks();
    eventually("it looked again", || counts.looks() > looks + 2).await;
    assert!(says_that_they_are_gone(), "{:?}", engine.status().not_ready);
    let asked = engine.files(None, 10, Freshness::default()).await;
    assert!(matches!(asked, Err(EngineError::Unavailable { .. })), "{asked:?}");
    engine.stop().await;
}

/// Waits until an instance has reached its database again.
async fn back(server: &Server, database: &str, engine: &PostgresEngine, counts: &Counts) {
    let connected = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
    eventually("it has connected", || {
        server.sql("postgres", &connected).unwrap() != "0"
    })
    .await;
    let looks = counts.looks();
    eventually("it is ready again", || {
        counts.looks() > looks + 1 && engine.status().not_ready.is_none()
    })
    .await;
}

/// Waits until so many changes were told of since there was none.
async fn told(engine: &PostgresEngine, changes: u64) -> AppliedIndex {
    let place = AppliedIndex::new(1 + changes);
    eventually("changes have their places", || engine.status().applied >= place).await;
    assert_eq!(engine.status().applied, place, "each is told once");
    place
}

/// So many changes there are in what [`served`] makes.
const SERVED: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lacks_the_last_changes_is_gone_on_with_and_watchers_begin_anew() {
    let (server, _, engine, counts) = served("promoted").await;
    told(&engine, SERVED).await;
    copy(&server, "promoted", "standby");
    back(&server, "promoted", &engine, &counts).await;
    engine.execute(node("n4"), PATIENCE).await.unwrap();
    engine.execute(file("lost", 2), PATIENCE).await.unwrap();
    let last = told(&engine, SERVED + 2).await;
    let nodes_as_known = engine.registry_version();
    replace(&server, "promoted", "standby");
    let gone_on = |engine: &PostgresEngine| engine.status().applied > last;
    eventually("it goes on", || gone_on(&engine)).await;
    assert!(has(&engine, "f").await && !has(&engine, "lost").await);
    assert!(
        engine.registry_version() > nodes_as_known,
        "what is known of nodes is read again"
    );
    // So do the places: nobody takes a change of now for one that he has seen.
    let watched = engine.events(last, 10, Duration::ZERO).await;
    let Err(EventsError::TooOld { oldest }) = watched else {
        panic!("whoever watches does not hear that he missed something: {watched:?}");
    };
    assert!(oldest > last);
    engine.execute(file("g", 2), PATIENCE).await.unwrap();
    let events = engine.events(oldest, 10, PATIENCE).await.unwrap();
    assert!(!events.groups.is_empty() && events.through > oldest, "{events:?}");
    assert_eq!(engine.totals().value.files, 2);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_went_on_differently_is_told_from_one_that_went_on() {
    let (server, url, engine, counts) = served("forked").await;
    told(&engine, SERVED).await;
    copy(&server, "forked", "fork");
    back(&server, "forked", &engine, &counts).await;
    engine.execute(file("here", 2), PATIENCE).await.unwrap();
    let here = told(&engine, SERVED + 1).await;
    // Another instance goes on elsewhere, and further.
    let other = start(&url.replace("forked", "fork"), "two").await;
    for number in 0..8 {
        let command = file(&format!("there-{number}"), 2);
        other.execute(command, PATIENCE).await.unwrap();
    }
    let elsewhere = told(&other, SERVED + 8).await;
    assert!(elsewhere > here);
    other.stop().await;
    replace(&server, "forked", "fork");
    eventually("it sees the other", || engine.status().applied > elsewhere).await;
    assert!(has(&engine, "there-7").await && !has(&engine, "here").await);
    let watched = engine.events(here, 100, Duration::ZERO).await;
    assert!(matches!(watched, Err(EventsError::TooOld { .. })), "{watched:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_served_over_a_connection_that_leads_to_other_rows() {
    let (server, other) = (Server::start(&["fsync=off"]), Server::start(&["fsync=off"]));
    let elsewhere = start(&other.url("moved"), "elsewhere").await;
    register_nodes(&elsewhere).await;
    let (way, plan) = unsteady_way(&server.url("moved")).await;
    let mut own = options(&way, "one");
    own.max_connections = 2;
    let engine = start_with(own).await;
    register_nodes(&engine).await;
    // All there are, so that the next one is new. What the instance looks with stays where it is.
    let held = (engine.hold_connection().await, engine.hold_connection().await);
    let address = other
        .url("moved")
        .rsplit_once('@')
        .unwrap()
        .1
        .replace("/moved", "");
    *plan.leads_to.lock().unwrap() = Some(address);
    drop(held.0);
    let asked = engine.files(None, 10, Freshness::default()).await;
    assert!(
        matches!(&asked, Err(EngineError::Unavailable { reason }) if reason.contains("the rows of cluster")),
        "{asked:?}"
    );
    let written = engine.execute(file("astray", 2), PATIENCE).await;
    assert!(
        matches!(&written, Err(EngineError::Unavailable { reason }) if reason.contains("the rows of cluster")),
        "{written:?}"
    );
    assert!(!has(&elsewhere, "astray").await);
    drop(held.1);
    engine.stop().await;
    elsewhere.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_back_that_undoes_another_step_back_is_seen() {
    let (server, _, engine, counts) = served("twice").await;
    told(&engine, SERVED).await;
    for to in ["first", "second"] {
        copy(&server, "twice", to);
    }
    back(&server, "twice", &engine, &counts).await;
    engine.execute(file("lost", 2), PATIENCE).await.unwrap();
    let last = told(&engine, SERVED + 1).await;
    replace(&server, "twice", "first");
    eventually("it goes on", || engine.status().applied > last).await;
    let once = engine.status().applied;
    assert!(
        once.get() > last.get() + 100_000,
        "further than what another instance can have seen"
    );
    server
        .sql("postgres", "ALTER DATABASE twice_that_was RENAME TO twice_before")
        .unwrap();
    replace(&server, "twice", "second");
    eventually("it goes on again", || engine.status().applied > once).await;
    let watched = engine.events(once, 100, Duration::ZERO).await;
    assert!(matches!(watched, Err(EventsError::TooOld { .. })), "{watched:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_more_than_the_instance_will_know_of() {
    let (_server, url, engine, _) = served("no_more").await;
    let other = start(&url, "two").await;
    let enough = AppliedIndex::new(engine.status().applied.get() + 50);
    let writing = async {
        let mut number = 0;
        while engine.status().applied < enough {
            other
                .execute(file(&format!("f-{number}"), 1), PATIENCE)
                .await
                .unwrap();
            number += 1;
        }
    };
    let reading = async {
        let mut watched = AppliedIndex::new(1);
        while engine.status().applied < enough {
            let nodes = engine.nodes(Freshness::default()).await.unwrap().index;
            assert!(nodes <= engine.status().applied);
            let nothing = engine.view(ReadSet::default(), Freshness::default()).await;
            assert!(nothing.unwrap().index <= engine.status().applied);
            watched = engine
                .events(watched, 1_000, Duration::ZERO)
                .await
                .unwrap()
                .through;
            assert!(watched <= engine.status().applied);
        }
    };
    tokio::join!(writing, reading);
    other.stop().await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_not_taken_for_whole_before_it_is() {
    let (server, _, engine, _) = served("half_read").await;
    told(&engine, SERVED).await;
    // Between two looks: what keys refer to comes last.
    server
        .sql(
            "half_read",
            "BEGIN; ALTER TABLE heartbeats DROP CONSTRAINT heartbeats_node_id_fkey; DELETE FROM files; \
             UPDATE coordinator SET last_place = last_place - 1; COMMIT",
        )
        .unwrap();
    eventually("it says that they are gone", || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains("start this instance anew"))
    })
    .await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_out_of_sight_are_not_taken_for_gone() {
    let (server, _, engine, counts) = served("unseen").await;
    let sql = |statement: &str| server.sql("unseen", statement).unwrap();
    for (hide, show) in [
        (
            "ALTER SCHEMA public RENAME TO elsewhere",
            "ALTER SCHEMA elsewhere RENAME TO public",
        ),
        (
            "ALTER DATABASE unseen SET search_path = nowhere",
            "ALTER DATABASE unseen RESET search_path",
        ),
    ] {
        sql(hide);
        // Who is connected sees no change of the settings.
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'unseen' AND pid <> pg_backend_pid()",
        );
        eventually("it says that they are out of sight", || {
            let reason = engine.status().not_ready;
            reason.is_some_and(|reason| reason.contains("out of sight"))
        })
        .await;
        let looks = counts.looks();
        eventually("it looked again", || counts.looks() > looks + 1).await;
        sql(show);
        eventually("it goes on", || engine.status().not_ready.is_none()).await;
        assert!(has(&engine, "f").await);
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_a_newer_program_changed_are_not_taken_for_gone() {
    let (server, _, engine, _) = served("changed").await;
    server
        .sql(
            "changed",
            "BEGIN; ALTER TABLE events RENAME TO changes; UPDATE schema_version SET version = version + 1; COMMIT",
        )
        .unwrap();
    eventually("it says what to run", || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains("run the newer coordinator"))
    })
    .await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_come_into_sight_before_they_are_whole_are_not_served() {
    let (server, _, engine, _) = served("unseen_half").await;
    let sql = |statement: &str| server.sql("unseen_half", statement).unwrap();
    let says = |what: &str| {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains(what))
    };
    sql("ALTER SCHEMA public RENAME TO elsewhere");
    eventually("it says that they are out of sight", || says("out of sight")).await;
    sql(
        "BEGIN; ALTER TABLE elsewhere.heartbeats DROP CONSTRAINT heartbeats_node_id_fkey; \
         ALTER SCHEMA elsewhere RENAME TO public; COMMIT",
    );
    eventually("it says that they are gone", || says("start this instance anew")).await;
    engine.stop().await;
}
