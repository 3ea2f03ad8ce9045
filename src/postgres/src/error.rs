//! What can go wrong with the database, told apart by what is to be done about it.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// What went wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another transaction was first: nothing happened, and trying again at once is right.
    #[error("another write was first: {0}")]
    Conflict(String),
    /// The connection was lost, or there was none: what was sent last may or may not have happened.
    #[error("the database does not answer: {0}")]
    Gone(String),
    /// It is known that the database cannot be used now: nothing happened.
    #[error("{0}")]
    Unusable(String),
    /// No connection was free in time: nothing happened.
    #[error("no connection to the database was free in time; all of database.max_connections are in use")]
    Busy,
    /// The database refuses writes: it is a standby, or set to read-only.
    #[error("the database takes no writes ({0}); point database.url at the primary server")]
    ReadOnly(String),
    /// The database has no room.
    #[error("the database has no room left ({0}); free space on its disk")]
    Full(String),
    /// The server takes no more connections.
    #[error(
        "the database takes no more connections ({0}); raise max_connections of the server, or lower database.max_connections \
         of the instances"
    )]
    Crowded(String),
    /// The database does not let this program in.
    #[error("the database refuses connections: {0}")]
    Refused(String),
    /// The user may not do what is needed.
    #[error(
        "the database does not let this user do what the coordinator needs ({0}): make the user the owner of the database, or \
         grant it CREATE on its schema and all rights on its tables"
    )]
    Denied(String),
    /// The server does not show who it is, or does not encrypt.
    #[error("no secure connection to the database: {0}; see sslmode and sslrootcert in database.url")]
    Tls(String),
    /// A statement took longer than it may.
    #[error("the database took longer than database.statement_timeout for a statement")]
    TooSlow,
    /// Stored rows are not what this version writes.
    #[error("{0}; the database holds what this version does not understand")]
    Corrupt(String),
    /// Anything else: a defect, or a database that lacks something.
    #[error("{0}")]
    Other(String),
}

impl StoreError {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }

    pub(crate) fn no_answer(within: Duration) -> Self {
        Self::Gone(format!("no answer within {} s", within.as_secs_f64()))
    }

    /// Whether waiting may help.
    pub(crate) const fn may_pass(&self) -> bool {
        !matches!(self, Self::Corrupt(_) | Self::Other(_))
    }

    /// Whether one of several commands that share a transaction may be the cause for all of them.
    pub(crate) const fn is_of_one(&self) -> bool {
        matches!(
            self,
            Self::Conflict(_) | Self::Gone(_) | Self::TooSlow | Self::Corrupt(_) | Self::Other(_)
        )
    }

    /// Whether doing the same again may end otherwise, at once.
    pub(crate) const fn is_repeatable(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Gone(_))
    }

    /// Whether the connection is lost, so that the outcome of a commit is not known.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => from_database(&*error),
            sqlx::Error::Io(error) => Self::Gone(error.to_string()),
            sqlx::Error::Protocol(error) => Self::Gone(error),
            sqlx::Error::Tls(error) => Self::Tls(error.to_string()),
            sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => Self::Gone(error.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

/// By the code: see "PostgreSQL Error Codes" in its manual, appendix A. Messages are the server's own words and name no
/// secret; what a client sent is in details, which are left out.
fn from_database(error: &dyn DatabaseError) -> StoreError {
    let message = error.message().to_owned();
    let code = error.code().unwrap_or_default();
    let severity = error
        .try_downcast_ref::<PgDatabaseError>()
        .map(PgDatabaseError::severity);
    // The whole server falls over and starts anew from its log: what was being committed may be in there, whatever the code says.
    if severity == Some(PgSeverity::Panic) {
        return StoreError::Gone(message);
    }
    match &*code {
        // Serialization failure, deadlock, a unique key that another transaction took first, a row that it holds.
        "40001" | "40P01" | "23505" | "55P03" => StoreError::Conflict(message),
        // Whether the statement was done is not known: distributed databases say so where another would break the connection.
        "40003" => StoreError::Gone(message),
        "57014" => StoreError::TooSlow,
        "25006" => StoreError::ReadOnly(message),
        "53100" => StoreError::Full(message),
        "53300" | "53400" => StoreError::Crowded(message),
        // The server stops, starts, or ended the connection.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => StoreError::Gone(message),
        code if code.starts_with("08") => StoreError::Gone(message),
        code if code.starts_with("28") => StoreError::Refused(message),
        "3D000" => StoreError::Refused(message),
        "42501" => StoreError::Denied(message),
        // The server ends the connection, whatever its reason.
        _ if severity == Some(PgSeverity::Fatal) => StoreError::Gone(message),
        code => StoreError::Other(format!("{message} ({code})")),
    }
}
