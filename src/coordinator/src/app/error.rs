//! Why the server did not start, or stopped by itself.

use std::io;
use std::path::PathBuf;

use zephyrfs_raft::{StartError, StoreError};

use crate::api::grpc::ServeError;
use crate::api::rest::RestError;
use crate::config::PasswordFileError;
use crate::metrics::MetricsError;

/// Why the server did not start, or stopped by itself. What it says is the last line of the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// No threads.
    #[error("the system gives no threads: {0}")]
    Runtime(io::Error),
    /// A port.
    #[error(
        "{key} {port} is already in use by another program; stop that one, or set {key} (environment {variable})"
    )]
    PortTaken {
        /// The setting.
        key: &'static str,
        /// The port.
        port: u16,
        /// The environment variable that sets it.
        variable: &'static str,
    },
    /// A listener.
    #[error("cannot listen on {key} {port}: {source}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A file that a setting names.
    #[error(transparent)]
    PasswordFile(#[from] PasswordFileError),
    /// The engine over PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] zephyrfs_postgres::StartError),
    /// The engine.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The data again, so broken that opening it panicked; the log has that in the line before.
    #[error(
        "failed to open database: {}, or the log beside it, is damaged; put an intact copy of both back, or move both \
         away to start empty",
        path.display()
    )]
    Damaged {
        /// Of the state; the log is in the same directory.
        path: PathBuf,
    },
    /// The metrics: a defect of the build.
    #[error("the metrics do not fit together: {0}")]
    Metrics(#[from] MetricsError),
    /// The gRPC server.
    #[error(transparent)]
    Grpc(#[from] ServeError),
    /// The REST server.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// A server ended by itself.
    #[error("the {0} server ended unexpectedly")]
    ServerEnded(&'static str),
    /// The engine cannot go on.
    #[error("the engine failed: {0}; this replica stops so that it can be started again")]
    EngineFailed(String),
    /// The state could not be written at the end. The log has it.
    #[error("the state was not written at the end, and will be made again from the log: {0}")]
    Close(#[from] StoreError),
}
