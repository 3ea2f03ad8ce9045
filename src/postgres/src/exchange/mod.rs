//! Rows that leave for another engine, or come from one.

mod export;
mod import;
mod page;

use std::fmt;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::PgConnection;

pub use export::Export;
pub use import::Import;

use crate::connect::{self, UrlError};
use crate::error::StoreError;
use crate::schema::SchemaError;

/// How to reach the database.
#[derive(Clone)]
pub struct Access {
    /// Where it is; a secret, and never shown.
    pub url: String,
    /// A password that is not in the URL.
    pub password: Option<String>,
    /// What the server shows of who is connected.
    pub name: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why rows cannot be exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The database, its tables, or the rows in it.
    #[error("{0}")]
    Database(String),
    /// Nothing is there to be exported.
    #[error(
        "the database has no tables of the coordinator, so there is nothing to export; check database.url"
    )]
    Nothing,
    /// An import would meet rows that are there.
    #[error(
        "the database has {0} already: an import goes into a database without rows; make a new one, or point database.url at \
         another"
    )]
    NotEmpty(&'static str),
    /// An instance runs on the database.
    #[error(
        "the instance {0} runs on this database: stop every instance, and import again; one that was killed counts as running until \
         its lease (database.lease) is over, and for five seconds at least"
    )]
    InUse(String),
    /// An instance wrote where an import is under way, or was cut short.
    #[error(
        "an instance wrote to this database while an import was under way: what it acknowledged is there beside a part of what \
         was imported, and nothing was deleted; stop every instance, and import into a new database"
    )]
    Written,
    /// Another import runs.
    #[error(
        "another import into this database is under way, or its tables are being made; wait until it has ended"
    )]
    Locked,
    /// The answer to the last step was lost.
    #[error(
        "whether the import counts is not known ({0}): start an instance; if it serves, all of it is there, and if it says that an \
         import was cut short, import again"
    )]
    Unknown(String),
    /// Rows to be imported that are not all the rows of one state.
    #[error("the rows are not those of a whole state: {0}; import again, with another dump")]
    Unfit(String),
}

impl From<StoreError> for ExchangeError {
    fn from(error: StoreError) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<SchemaError> for ExchangeError {
    fn from(error: SchemaError) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<sqlx::Error> for ExchangeError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl Access {
    /// Where that is, to be shown: the server and the database, and nothing of who asks.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn place(&self) -> Result<String, UrlError> {
        connect::place(&self.url)
    }

    /// A connection whose statements and transactions take as long as they take.
    async fn connect(&self) -> Result<PgConnection, ExchangeError> {
        let options = connect::from_url(&self.url, self.password.as_deref(), &self.name)?;
        // Zero is no limit.
        let mut connection = connect::connect(&options, Duration::ZERO).await?;
        connection
            .execute("SET idle_in_transaction_session_timeout = 0")
            .await?;
        // Longer than it takes the server to send its own maintenance away.
        connection.execute("SET lock_timeout = '60s'").await?;
        Ok(connection)
    }
}
