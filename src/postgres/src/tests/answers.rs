//! What the server's answers are taken for.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::support::{PATIENCE, database, options, sql};
use crate::error::StoreError;
use crate::{PostgresEngine, StartError};

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_which_the_server_does_not_know_the_outcome_may_have_been_done() {
    let mut connection = PgConnection::connect(&database("unknown")).await.unwrap();
    let unknown = "DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''40003''; END'";
    let error = StoreError::from(connection.execute(unknown).await.unwrap_err());
    assert!(error.is_gone(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_wrong_is_said_at_the_start_instead_of_waited_for() {
    let url = database("set_wrong");
    sql(
        "postgres",
        "ALTER DATABASE set_wrong SET session_preload_libraries = 'nowhere'",
    );
    let engine = PostgresEngine::start(options(&url, "one")).unwrap();
    let refused = tokio::time::timeout(PATIENCE, engine.recovered()).await.unwrap();
    let Err(StartError::Unusable(reason)) = refused else {
        panic!("it started without a library that it was to load");
    };
    assert!(reason.contains("nowhere"), "{reason}");
    engine.stop().await;
}
