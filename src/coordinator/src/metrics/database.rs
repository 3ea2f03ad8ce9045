//! What the engine over PostgreSQL does at the database.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Seconds: from one short statement to a dump of everything.
const BUCKETS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Operations at the database by name, and its connections.
#[derive(Debug, Clone)]
pub struct DatabaseMetrics {
    durations: HistogramVec,
    retries: IntCounterVec,
    connections: IntGaugeVec,
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "coordinator_database_operation_duration_seconds",
                    "Time that an operation at the database took, with all its attempts.",
                )
                .buckets(BUCKETS.to_vec()),
                &["operation", "outcome"],
            )?,
            retries: IntCounterVec::new(
                Opts::new(
                    "coordinator_database_retries_total",
                    "Operations at the database that were tried again, by cause.",
                ),
                &["operation", "cause"],
            )?,
            connections: IntGaugeVec::new(
                Opts::new("coordinator_database_connections", "Connections to the database."),
                &["state"],
            )?,
        };
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        Ok(metrics)
    }

    /// An operation ended.
    pub fn ended(&self, operation: &'static str, took: Duration, is_ok: bool) {
        let outcome = if is_ok { "ok" } else { "error" };
        let labels = [operation, outcome];
        self.durations
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
    }

    /// An operation is tried again.
    pub fn retried(&self, operation: &'static str, cause: &'static str) {
        self.retries.with_label_values(&[operation, cause]).inc();
    }

    /// There are so many connections.
    pub fn connections(&self, open: u32, idle: u32) {
        let busy = open.saturating_sub(idle);
        self.connections.with_label_values(&["idle"]).set(idle.into());
        self.connections.with_label_values(&["busy"]).set(busy.into());
    }
}
