//! Who leads: one row, by the database's clock, with an epoch that grows each time somebody takes it.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, query, query_scalar};

use crate::columns::count;
use crate::error::StoreError;

/// What an instance needs to be told from others.
pub(super) struct Holder<'o> {
    pub(super) name: &'o str,
    pub(super) address: &'o str,
    pub(super) lease: Duration,
}

/// A lease that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) epoch: u64,
    /// By this machine's own clock, counted from before the database was asked.
    pub(super) until: Instant,
}

impl Holder<'_> {
    fn millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    fn held(&self, epoch: i64, asked: Instant) -> Result<Lease, StoreError> {
        Ok(Lease {
            epoch: count(epoch)?,
            until: asked + self.lease,
        })
    }

    /// Takes the lease if nobody holds it, and no import is under way.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn take(&self, connection: &mut PgConnection) -> Result<Option<Lease>, StoreError> {
        let asked = Instant::now();
        // The second statement sees what was committed while the first waited for the row.
        let mut transaction = connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?;
        let epoch: Option<i64> = query_scalar(
            "UPDATE coordinator SET leader = $1, leader_address = $2, leader_epoch = leader_epoch + 1, \
             leader_until = clock_timestamp() + $3 * interval '1 millisecond' \
             WHERE only_row AND leader_until <= clock_timestamp() RETURNING leader_epoch",
        )
        .bind(self.name)
        .bind(self.address)
        .bind(self.millis())
        .fetch_optional(&mut *transaction)
        .await?;
        let is_imported: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM imports)")
            .fetch_one(&mut *transaction)
            .await?;
        if is_imported {
            transaction.rollback().await?;
            return Ok(None);
        }
        transaction.commit().await?;
        epoch.map(|epoch| self.held(epoch, asked)).transpose()
    }

    /// Holds it for longer. One that ended can still be renewed while nobody else took it.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn renew(
        &self,
        connection: &mut PgConnection,
        epoch: u64,
    ) -> Result<Option<Lease>, StoreError> {
        let asked = Instant::now();
        let epoch: Option<i64> = query_scalar(
            "UPDATE coordinator SET leader_until = clock_timestamp() + $2 * interval '1 millisecond' \
             WHERE only_row AND leader_epoch = $1 AND leader = $3 RETURNING leader_epoch",
        )
        .bind(epoch.cast_signed())
        .bind(self.millis())
        .bind(self.name)
        .fetch_optional(connection)
        .await?;
        epoch.map(|epoch| self.held(epoch, asked)).transpose()
    }
}

/// Gives the lease back, so that another takes it at once.
///
/// # Errors
/// The database's.
pub(super) async fn give_back(connection: &mut PgConnection, epoch: u64) -> Result<(), StoreError> {
    query("UPDATE coordinator SET leader_until = clock_timestamp() WHERE only_row AND leader_epoch = $1")
        .bind(epoch.cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}
