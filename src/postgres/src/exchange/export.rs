//! Every row of a database, of one state, whether or not instances run on it.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Executor as _, Row as _, query};
use zephyrfs_core::Totals;
use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;

use super::{Access, ExchangeError};
use crate::columns::count;
use crate::dump::dump;
use crate::error::StoreError;
use crate::schema::{self, SchemaError};

/// Rows of one state of a database.
pub struct Export {
    connection: PgConnection,
    index: AppliedIndex,
    totals: Totals,
}

impl Export {
    /// Connects; the state is the one of this moment, whatever is written from now on.
    ///
    /// # Errors
    /// [`ExchangeError::Url`], [`ExchangeError::Nothing`], [`ExchangeError::Database`].
    pub async fn begin(access: &Access) -> Result<Self, ExchangeError> {
        let mut connection = access.connect().await?;
        match schema::check(&mut connection).await {
            Err(SchemaError::Older) => return Err(ExchangeError::Nothing),
            checked => checked?,
        }
        connection
            .execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let row = query("SELECT last_place, totals FROM coordinator")
            .fetch_one(&mut connection)
            .await?;
        let (index, totals) = read(&row)?;
        Ok(Self {
            connection,
            index,
            totals,
        })
    }

    /// The last index that the state contains whole. It may contain a little of what comes after.
    pub const fn index(&self) -> AppliedIndex {
        self.index
    }

    /// About how much there is.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Hands every row to `take`, kind by kind, until it answers `false`.
    ///
    /// # Errors
    /// [`ExchangeError::Database`].
    pub async fn dump(mut self, take: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<(), ExchangeError> {
        dump(&mut self.connection, take).await?;
        Ok(())
    }
}

fn read(row: &PgRow) -> Result<(AppliedIndex, Totals), StoreError> {
    let index = AppliedIndex::new(count(row.try_get("last_place")?)?);
    let counts: Vec<i64> = row.try_get("totals")?;
    let counts = counts.into_iter().map(count).collect::<Result<Vec<u64>, _>>()?;
    let counts = <[u64; Totals::COUNTS]>::try_from(counts)
        .map_err(|counts| StoreError::corrupt(format!("{} totals", counts.len())))?;
    Ok((index, Totals::from_counts(counts)))
}
