//! The tables, made and changed step by step under a lock.
//!
//! Not the library's own migrator: that one holds an advisory lock, which databases that merely speak PostgreSQL's language do
//! not have. The lock here is a row.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, query, query_scalar, raw_sql};

use crate::error::StoreError;

/// Each step in order; one that has shipped never changes.
const STEPS: &[&str] = &[include_str!("../migrations/0001_tables.sql")];

/// The version of the tables that this program works on.
const VERSION: i64 = STEPS.len() as i64;

const DUPLICATE_TABLE: &str = "42P07";
const DUPLICATE_OBJECT: &str = "42710";
const UNDEFINED_TABLE: &str = "42P01";
const UNDEFINED_COLUMN: &str = "42703";

/// Two who make the tables at the same moment may get in each other's way; so often one of them tries again.
const TRIES: u32 = 5;

/// So long another instance may take to change the tables.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why the tables are not as this program needs them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// A newer program changed them.
    #[error(
        "the tables are of version {found}, and this program knows versions up to {VERSION}: run the newer coordinator, or \
         restore a backup from before the upgrade"
    )]
    Newer {
        /// Their version.
        found: i64,
    },
    /// An older program made them, or none did.
    #[error("the database has no tables of this version: start the coordinator on it once, which makes them")]
    Older,
    /// Another program made tables of the same names.
    #[error("the database holds tables of another program ({0}): give the coordinator a database of its own")]
    Foreign(String),
    /// What is in them is not whole.
    #[error(
        "an import into this database is under way, or was cut short: wait for it, or run `coordinator import` again, which \
         starts over"
    )]
    Importing,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for SchemaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Makes the tables what this program needs, and sees that they may be used. `service_id` is what a new service is called.
///
/// # Errors
/// [`SchemaError`]; nothing is left half done.
pub(crate) async fn prepare(connection: &mut PgConnection, service_id: &str) -> Result<(), SchemaError> {
    make_tables(connection, service_id).await?;
    refuse_imports(connection).await
}

/// Sees that the tables are as this program makes them and may be used, and changes nothing.
///
/// # Errors
/// [`SchemaError`].
pub(crate) async fn check(connection: &mut PgConnection) -> Result<(), SchemaError> {
    match version(connection).await? {
        Some(VERSION) => refuse_imports(connection).await,
        Some(found) if found > VERSION => Err(SchemaError::Newer { found }),
        Some(_) | None => Err(SchemaError::Older),
    }
}

/// Refuses tables into which an import began and did not end.
async fn refuse_imports(connection: &mut PgConnection) -> Result<(), SchemaError> {
    let imports: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM imports)")
        .fetch_one(connection)
        .await?;
    if imports {
        return Err(SchemaError::Importing);
    }
    Ok(())
}

/// Sees that the rows are those of a service.
///
/// # Errors
/// [`StoreError::Unusable`] if they are not; the database's.
pub(crate) async fn serves(connection: &mut PgConnection, service_id: &str) -> Result<(), StoreError> {
    let found: Result<Option<String>, _> = query_scalar("SELECT service_id FROM coordinator")
        .fetch_optional(connection)
        .await;
    match found {
        Ok(Some(found)) if found == service_id => Ok(()),
        Ok(_) => Err(gone(service_id)),
        Err(error) if is_without_table(&error) => Err(gone(service_id)),
        Err(error) => Err(error.into()),
    }
}

/// Why a table is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is not there, or not yet.
    Gone,
    /// It is there again, complete.
    Back,
    /// It is there, in a schema that is not looked into.
    Hidden,
    /// A newer program changed the tables to this version.
    Changed(i64),
}

/// Why there was no table that had been there.
///
/// # Errors
/// The database's.
pub(crate) async fn missing(connection: &mut PgConnection) -> Result<Missing, StoreError> {
    // Twice: it may come into sight, or go out of it, between two looks.
    for _ in 0..2 {
        if is_hidden(connection).await? {
            return Ok(Missing::Hidden);
        }
        match version(connection).await {
            Ok(Some(found)) if found > VERSION => return Ok(Missing::Changed(found)),
            Ok(Some(VERSION)) if is_whole(connection).await? => return Ok(Missing::Back),
            Ok(_) | Err(SchemaError::Foreign(_)) => {}
            Err(SchemaError::Store(error)) => return Err(error),
            Err(error) => return Err(StoreError::Other(error.to_string())),
        }
    }
    Ok(Missing::Gone)
}

/// Whether there are tables in a schema that is not looked into. The catalogue shows all there is, whatever the user may see of it.
async fn is_hidden(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let is_hidden = query_scalar(
        "SELECT to_regclass('coordinator') IS NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_class AS one \
         JOIN pg_catalog.pg_class AS other ON other.relnamespace = one.relnamespace \
         WHERE one.relname = 'coordinator' AND other.relname = 'schema_version')",
    )
    .fetch_one(connection)
    .await?;
    Ok(is_hidden)
}

/// Whether the tables are complete. A backup that is being read in comes table by table: the version among the last, and the
/// foreign key after all rows.
///
/// # Errors
/// The database's.
pub(crate) async fn is_whole(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let is_whole: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM schema_version WHERE only_row AND version = $1) AND EXISTS (SELECT 1 \
         FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = to_regclass('heartbeats'))",
    )
    .bind(VERSION)
    .fetch_one(connection)
    .await?;
    Ok(is_whole)
}

/// Whether a statement failed for want of a table.
pub(crate) fn is_without_table(error: &sqlx::Error) -> bool {
    has_code(error, UNDEFINED_TABLE)
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(code))
}

/// The rows that an instance served are not there any more. Whoever put others in their place, or an empty database, while it ran
/// may not know what he did: nodes would hear that nobody knows their chunks. What comes next may be a backup that is read in table
/// by table, under the same name.
pub(crate) fn gone(service_id: &str) -> StoreError {
    StoreError::Unusable(format!(
        "the rows of cluster {service_id}, which this instance serves, are gone from the database: stop every instance before \
         restoring it; to serve what is there now, start this instance anew"
    ))
}

/// Makes the tables what this program needs.
///
/// # Errors
/// [`SchemaError`]; nothing is left half done.
pub(crate) async fn make_tables(connection: &mut PgConnection, service_id: &str) -> Result<(), SchemaError> {
    let mut tries = 1;
    loop {
        match version(connection).await? {
            Some(VERSION) => return Ok(()),
            Some(found) if found > VERSION => return Err(SchemaError::Newer { found }),
            Some(_) | None => {}
        }
        match change_tables(connection, service_id).await {
            // The catalogue's own unique keys tell that another one was first.
            Err(SchemaError::Store(StoreError::Conflict(_))) if tries < TRIES => tries += 1,
            changed => return changed,
        }
    }
}

/// The same in one transaction, which holds the row that is the lock.
async fn change_tables(connection: &mut PgConnection, service_id: &str) -> Result<(), SchemaError> {
    let mut transaction = connection.begin().await?;
    let patience = format!("SET LOCAL lock_timeout = {}", PATIENCE.as_millis());
    transaction.execute(sqlx::AssertSqlSafe(patience)).await?;
    // Whoever comes second waits here, and then finds nothing left to do.
    transaction
        .execute(
            "CREATE TABLE IF NOT EXISTS schema_version \
             (only_row boolean PRIMARY KEY CHECK (only_row), version bigint NOT NULL)",
        )
        .await
        .map_err(|error| {
            // Another made it between the look for it and the making.
            let is_there = has_code(&error, DUPLICATE_TABLE) || has_code(&error, DUPLICATE_OBJECT);
            match is_there {
                true => StoreError::Conflict(error.to_string()),
                false => error.into(),
            }
        })?;
    transaction
        .execute("INSERT INTO schema_version (only_row, version) VALUES (true, 0) ON CONFLICT (only_row) DO NOTHING")
        .await?;
    let found: i64 = query_scalar("SELECT version FROM schema_version WHERE only_row FOR UPDATE")
        .fetch_one(&mut *transaction)
        .await?;
    if found > VERSION {
        return Err(SchemaError::Newer { found });
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (step, number) in STEPS.iter().skip(done).zip(found + 1..) {
        tracing::info!(version = number, "Changing the tables");
        transaction
            .execute(raw_sql(*step))
            .await
            .map_err(|error| foreign(error, DUPLICATE_TABLE))?;
    }
    query("UPDATE schema_version SET version = $1 WHERE only_row")
        .bind(VERSION)
        .execute(&mut *transaction)
        .await?;
    // No index is 0: that is what somebody has who knows nothing yet.
    query(
        "INSERT INTO coordinator (only_row, service_id, totals, last_place, forgotten_place, leader_until, leader_epoch) \
         VALUES (true, $1, $2, 1, 0, '1970-01-01 00:00:00+00', 0) ON CONFLICT (only_row) DO NOTHING",
    )
    .bind(service_id)
    .bind([0_i64; zephyrfs_core::Totals::COUNTS].as_slice())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// An error that tells, by its code, that tables of these names are not this program's.
fn foreign(error: sqlx::Error, code: &str) -> SchemaError {
    if has_code(&error, code)
        && let sqlx::Error::Database(error) = &error
    {
        return SchemaError::Foreign(error.message().to_owned());
    }
    error.into()
}

/// The version of the tables; `None` in a database that has none.
///
/// # Errors
/// [`SchemaError::Foreign`]; the database's.
async fn version(connection: &mut PgConnection) -> Result<Option<i64>, SchemaError> {
    let exists: bool = query_scalar("SELECT to_regclass('schema_version') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(None);
    }
    query_scalar("SELECT version FROM schema_version WHERE only_row")
        .fetch_optional(connection)
        .await
        .map_err(|error| foreign(error, UNDEFINED_COLUMN))
}
