//! Rows of another engine as those of a database.
//!
//! They are written in many transactions, since one of that size is more than some databases take. A row in `imports` says so
//! meanwhile, and no instance starts; it goes when everything was read back and is what was to be written. What an import left
//! that was cut short is deleted by the next.

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, Row as _, query, query_scalar};
use zephyrfs_core::Dumper;
use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;

use super::page::Page;
use super::{Access, ExchangeError};
use crate::columns::to_bigint;
use crate::dump::dump;
use crate::engine::{AWAY_SECONDS, new_service_id};
use crate::error::StoreError;
use crate::schema;
use crate::tables::usage::{self, UsageDelta};

/// Tables with rows, those first that others refer to, and what to call what is in them.
const TABLES: [(&str, &str); 9] = [
    ("nodes", "nodes"),
    ("heartbeats", "heartbeats"),
    ("files", "files"),
    ("chunks", "chunks"),
    ("chunk_replicas", "copies of chunks"),
    ("chunk_sharers", "chunks of several files"),
    ("releases", "unfinished releases"),
    ("requests", "remembered requests"),
    ("tasks", "tasks"),
];

/// Takes rows, kind by kind.
pub struct Import {
    connection: PgConnection,
    page: Page,
    added: Dumper,
    lies: UsageDelta,
    starts_over: bool,
    /// Holds the lock of the tables in a transaction, which is also the one that makes the import count: no two run at once.
    lock: PgConnection,
}

impl Import {
    /// Begins to import into a database whose tables, which are made if need be, hold no rows, and on which no instance runs.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn begin(access: &Access) -> Result<Self, ExchangeError> {
        let mut connection = access.connect().await?;
        schema::make_tables(&mut connection, &new_service_id()).await?;
        let lock = lock(access).await?;
        let mut transaction = connection.begin().await?;
        // An instance that is about to lead waits here, and finds the row below; one that led and does not know that its lease is
        // over cannot renew it any more.
        transaction
            .execute("UPDATE coordinator SET leader_epoch = leader_epoch + 1 WHERE only_row")
            .await?;
        refuse_instances(&mut transaction).await?;
        let starts_over: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM imports)")
            .fetch_one(&mut *transaction)
            .await?;
        if starts_over {
            refuse_events(&mut transaction).await?;
            let names: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
            let truncate = format!("TRUNCATE {}", names.join(", "));
            transaction.execute(sqlx::AssertSqlSafe(truncate)).await?;
        } else {
            refuse_rows(&mut transaction).await?;
            // An import writes none: from here on one is the word of an instance that wrote in spite of everything.
            transaction.execute("DELETE FROM events").await?;
            transaction
                .execute("INSERT INTO imports (only_row, began_at) VALUES (true, clock_timestamp())")
                .await?;
        }
        transaction.commit().await?;
        relax(&mut connection).await?;
        Ok(Self {
            connection,
            page: Page::default(),
            added: Dumper::default(),
            lies: UsageDelta::default(),
            starts_over,
            lock,
        })
    }

    /// Whether an import was cut short here before, of which nothing is left.
    pub const fn starts_over(&self) -> bool {
        self.starts_over
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// [`ExchangeError::Database`].
    pub async fn add(&mut self, row: Row) -> Result<(), ExchangeError> {
        let encoded = self.added.add(&row);
        let bytes = encoded.map_err(|error| ExchangeError::Unfit(error.to_string()))?;
        if let Row::Chunk(_, chunk) = &row {
            self.lies.add(chunk, 1);
        }
        self.page.add(row, bytes.len());
        if self.page.is_full() {
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), ExchangeError> {
        let page = std::mem::take(&mut self.page);
        let mut transaction = self.connection.begin().await?;
        match page.write(&mut transaction).await {
            Ok(()) => Ok(transaction.commit().await?),
            Err(StoreError::Conflict(what)) => Err(ExchangeError::Unfit(what)),
            Err(error) => Err(error.into()),
        }
    }

    /// All rows were added: they are what the service has from now on, as of one index after `index`. Who watched the service
    /// that they are of begins anew, since no change is remembered. Answers why the database did not look at them, if it did
    /// not: plans are better with that, and right without.
    ///
    /// # Errors
    /// [`ExchangeError::Unfit`] if they are not what is read back; [`ExchangeError::Written`]; [`ExchangeError::Unknown`]; or why
    /// they cannot be written.
    pub async fn finish(mut self, index: AppliedIndex) -> Result<Option<String>, ExchangeError> {
        self.write().await?;
        self.check().await?;
        let analyzed = self.connection.execute("ANALYZE").await;
        // The transaction that holds the lock: had it lost it, this would fail. What went before is on disk when this is.
        refuse_events(&mut self.lock).await?;
        usage::replace(&mut self.lock, &self.lies).await?;
        let totals = self.added.totals().to_counts().map(to_bigint);
        let counted = query(
            "UPDATE coordinator SET totals = $1, last_place = greatest(last_place, $2), \
             forgotten_place = greatest(last_place, $2) WHERE only_row AND leader_until <= clock_timestamp()",
        )
        .bind(totals.as_slice())
        .bind(to_bigint(index.get().saturating_add(1)))
        .execute(&mut self.lock)
        .await?;
        let ended = self.lock.execute("DELETE FROM imports").await?;
        if counted.rows_affected() != 1 || ended.rows_affected() != 1 {
            return Err(ExchangeError::Written);
        }
        if let Err(error) = self.lock.execute("COMMIT").await.map_err(StoreError::from) {
            return Err(if error.is_gone() {
                ExchangeError::Unknown(error.to_string())
            } else {
                error.into()
            });
        }
        Ok(analyzed.err().map(|error| StoreError::from(error).to_string()))
    }

    /// Whether what was written is what was added.
    async fn check(&mut self) -> Result<(), ExchangeError> {
        let mut read = Dumper::default();
        let mut failed = None;
        let mut transaction = self
            .connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        dump(&mut transaction, &mut |row| {
            failed = read.add(&row).err();
            failed.is_none()
        })
        .await?;
        transaction.commit().await?;
        if let Some(error) = failed {
            return Err(ExchangeError::Unfit(error.to_string()));
        }
        if read.digest() == self.added.digest() {
            return Ok(());
        }
        Err(ExchangeError::Unfit(format!(
            "{} rows were added, and {} rows that are not the same are read back",
            self.added.rows(),
            read.rows()
        )))
    }
}

/// Takes the lock of the tables. Whoever dies with it lets it go.
async fn lock(access: &Access) -> Result<PgConnection, ExchangeError> {
    let mut connection = access.connect().await?;
    connection.execute("BEGIN").await?;
    let locked = query("SELECT 1 FROM schema_version WHERE only_row FOR UPDATE NOWAIT")
        .execute(&mut connection)
        .await;
    match locked.map_err(StoreError::from) {
        Ok(_) => Ok(connection),
        Err(StoreError::Conflict(_)) => Err(ExchangeError::Locked),
        Err(error) => Err(error.into()),
    }
}

async fn refuse_instances(connection: &mut PgConnection) -> Result<(), ExchangeError> {
    let running: Option<String> = query_scalar(
        "SELECT coalesce(leader, 'that leads') FROM coordinator WHERE leader_until > clock_timestamp() \
         UNION ALL (SELECT name FROM instances WHERE seen_at > clock_timestamp() - $1 * interval '1 second' ORDER BY name) LIMIT 1",
    )
    .bind(AWAY_SECONDS)
    .fetch_optional(connection)
    .await?;
    running.map_or(Ok(()), |name| Err(ExchangeError::InUse(name)))
}

async fn refuse_events(connection: &mut PgConnection) -> Result<(), ExchangeError> {
    let are_there: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM events)")
        .fetch_one(connection)
        .await?;
    if are_there {
        return Err(ExchangeError::Written);
    }
    Ok(())
}

async fn refuse_rows(connection: &mut PgConnection) -> Result<(), ExchangeError> {
    for (table, what) in TABLES {
        let exists = format!("SELECT EXISTS (SELECT 1 FROM {table}) AS exists");
        let row = query(sqlx::AssertSqlSafe(exists))
            .fetch_one(&mut *connection)
            .await?;
        if row.try_get("exists")? {
            return Err(ExchangeError::NotEmpty(what));
        }
    }
    Ok(())
}

/// Nothing that is written before the end has to be durable. Where a database does not know how to say so, it is slower.
async fn relax(connection: &mut PgConnection) -> Result<(), ExchangeError> {
    match connection.execute("SET synchronous_commit = off").await {
        Ok(_) | Err(sqlx::Error::Database(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
