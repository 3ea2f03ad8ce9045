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
use crate::engine::new_service_id;
use crate::error::StoreError;
use crate::schema;
use crate::tables::usage;

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
    /// Holds the lock of the tables as long as it is open: no two imports run at once.
    _lock: PgConnection,
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
        let was_cut_short: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM imports)")
            .fetch_one(&mut connection)
            .await?;
        if was_cut_short {
            tracing::info!("What an import left that was cut short is deleted");
            let names: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
            let truncate = format!("TRUNCATE {}", names.join(", "));
            connection.execute(sqlx::AssertSqlSafe(truncate)).await?;
        } else {
            refuse_instances(&mut connection).await?;
            refuse_rows(&mut connection).await?;
            query("INSERT INTO imports (only_row, began_at) VALUES (true, clock_timestamp())")
                .execute(&mut connection)
                .await?;
            // One that began before the row above was there may have become the one that leads since.
            refuse_instances(&mut connection).await?;
        }
        relax(&mut connection).await?;
        Ok(Self {
            connection,
            page: Page::default(),
            added: Dumper::default(),
            _lock: lock,
        })
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// [`ExchangeError::Database`].
    pub async fn add(&mut self, row: Row) -> Result<(), ExchangeError> {
        self.added
            .add(&row)
            .map_err(|error| ExchangeError::Unfit(error.to_string()))?;
        self.page.add(row);
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
    /// that they are of begins anew, since no change is remembered.
    ///
    /// # Errors
    /// [`ExchangeError::Unfit`] if they are not what is read back; or why they cannot be written.
    pub async fn finish(mut self, index: AppliedIndex) -> Result<(), ExchangeError> {
        self.write().await?;
        self.check().await?;
        // What went before is on disk too when this is.
        self.connection.execute("SET synchronous_commit = on").await?;
        let totals = self.added.totals().to_counts().map(to_bigint);
        let mut transaction = self.connection.begin().await?;
        transaction.execute("DELETE FROM events").await?;
        usage::count_anew(&mut transaction).await?;
        let counted = query(
            "UPDATE coordinator SET totals = $1, last_place = greatest(last_place, $2), \
             forgotten_place = greatest(last_place, $2) WHERE leader_until <= clock_timestamp()",
        )
        .bind(totals.as_slice())
        .bind(to_bigint(index.get().saturating_add(1)))
        .execute(&mut *transaction)
        .await?;
        if counted.rows_affected() == 0 {
            refuse_instances(&mut transaction).await?;
        }
        transaction.execute("DELETE FROM imports").await?;
        transaction.commit().await?;
        // Plans are better with it, and right without.
        if let Err(error) = self.connection.execute("ANALYZE").await {
            tracing::warn!(%error, "The database did not look at the new rows; let it do so with ANALYZE");
        }
        Ok(())
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
    let leader: Option<Option<String>> =
        query_scalar("SELECT leader FROM coordinator WHERE leader_until > clock_timestamp()")
            .fetch_optional(connection)
            .await?;
    match leader {
        Some(leader) => Err(ExchangeError::InUse(leader.unwrap_or_default())),
        None => Ok(()),
    }
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
