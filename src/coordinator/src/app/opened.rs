//! The engine that the configuration asks for, behind the few things that only its owner asks of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use zephyrfs_core::Engine;
use zephyrfs_postgres::{Observer, PostgresEngine, StartError};
use zephyrfs_raft::DurableEngine;

use super::error::AppError;
use super::{clock, settings};
use crate::config::{Config, DatabaseEngine};
use crate::metrics::{DatabaseMetrics, Metrics};

impl Observer for DatabaseMetrics {
    fn ended(&self, operation: &'static str, took: Duration, is_ok: bool) {
        Self::ended(self, operation, took, is_ok);
    }

    fn retried(&self, operation: &'static str, cause: &'static str) {
        Self::retried(self, operation, cause);
    }

    fn connections(&self, open: u32, idle: u32) {
        Self::connections(self, open, idle);
    }
}

/// An engine that was opened.
pub(super) enum OpenedEngine {
    /// Replicas over databases of their own.
    Raft(Arc<DurableEngine>),
    /// Instances over one database.
    Postgres(Arc<PostgresEngine>),
}

impl OpenedEngine {
    /// Opens it.
    pub(super) async fn open(
        config: &Config,
        ports: settings::Ports,
        metrics: &Metrics,
    ) -> Result<Self, AppError> {
        match config.database.engine {
            DatabaseEngine::Redb => open_raft(config, ports).await.map(Self::Raft),
            DatabaseEngine::Postgres => {
                let options = settings::postgres(config, ports, metrics)?;
                let data = zephyrfs_postgres::place(&options.url).map_err(StartError::from)?;
                tracing::info!(data, "Using the database");
                Ok(Self::Postgres(PostgresEngine::start(options)?))
            }
        }
    }

    /// As the service knows it.
    pub(super) fn engine(&self) -> Arc<dyn Engine> {
        match self {
            Self::Raft(engine) => Arc::clone(engine) as Arc<dyn Engine>,
            Self::Postgres(engine) => Arc::clone(engine) as Arc<dyn Engine>,
        }
    }

    /// Waits until it answers for the first time.
    pub(super) async fn recovered(&self) -> Result<(), AppError> {
        match self {
            Self::Raft(engine) => Ok(engine.recovered().await?),
            Self::Postgres(engine) => Ok(engine.recovered().await?),
        }
    }

    /// Lets another lead.
    pub(super) async fn hand_over(&self) {
        match self {
            Self::Raft(engine) => engine.hand_over().await,
            Self::Postgres(engine) => engine.hand_over().await,
        }
    }

    /// Closes it.
    pub(super) async fn stop(&self) -> Result<(), AppError> {
        match self {
            Self::Raft(engine) => Ok(engine.stop().await?),
            Self::Postgres(engine) => {
                engine.stop().await;
                Ok(())
            }
        }
    }

    /// Why it cannot go on, if it cannot.
    pub(super) fn failure(&self) -> Option<String> {
        match self {
            Self::Raft(engine) => engine.failure(),
            Self::Postgres(engine) => engine.failure(),
        }
    }
}

/// Opens the data. The storage engine tells damage that its checksums find by an error, and other damage by a panic: here
/// both are the same.
async fn open_raft(config: &Config, ports: settings::Ports) -> Result<Arc<DurableEngine>, AppError> {
    tracing::info!(data = %config.database_path().display(), "Opening the data");
    let opening = DurableEngine::start(settings::engine(config, clock::steady(), ports)?);
    match AssertUnwindSafe(opening).catch_unwind().await {
        Ok(opened) => Ok(opened?),
        Err(_) => Err(AppError::Damaged {
            path: config.database_path(),
        }),
    }
}
