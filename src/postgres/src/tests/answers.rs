//! What the server's answers are taken for.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::support::{database, refused, sql};
use crate::error::StoreError;
use crate::{Access, ExchangeError, Export};

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
    let reason = refused(&url).await;
    assert!(reason.contains("nowhere"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_program_are_left_alone_and_named() {
    let url = database("of_another");
    sql("of_another", "CREATE TABLE files (path text)");
    let reason = refused(&url).await;
    assert!(
        reason.contains("tables of another program") && reason.contains("\"files\""),
        "{reason}"
    );
    assert!(!reason.contains("cannot be used"), "said once: {reason}");
    for name in ["nodes", "schema_version"] {
        let is_missing = format!("SELECT to_regclass('{name}') IS NULL");
        assert_eq!(sql("of_another", &is_missing), "t", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_table_of_versions_is_not_taken_for_ones_own() {
    let url = database("of_a_migrator");
    sql(
        "of_a_migrator",
        "CREATE TABLE schema_version (version text, script text)",
    );
    let reason = refused(&url).await;
    assert!(reason.contains("tables of another program"), "{reason}");
    let access = Access {
        url,
        password: None,
        name: "test".to_owned(),
    };
    let refused = Export::begin(&access).await.err().unwrap().to_string();
    assert!(refused.contains("tables of another program"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_export_from_a_database_without_tables() {
    let access = Access {
        url: database("never_used"),
        password: None,
        name: "test".to_owned(),
    };
    let refused = Export::begin(&access).await.err().unwrap();
    assert!(matches!(refused, ExchangeError::Nothing), "{refused}");
    assert_eq!(
        sql("never_used", "SELECT to_regclass('schema_version') IS NULL"),
        "t"
    );
}
