//! A database whose rows go while instances serve them.

use zephyrfs_core::engine::{Engine as _, EngineError};

use super::support::{PATIENCE, counted, eventually, file, options, register_nodes, start_with};
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
    assert_eq!(engine.failure(), None, "they may come back");
    other.stop().await;
    engine.stop().await;
}
