//! The registry: every metric of the process, created once by the composition root.

use std::sync::Arc;
use std::time::Duration;

use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use zephyrfs_core::Engine;
use zephyrfs_core::engine::EngineStatus;

use super::database::DatabaseMetrics;
use super::engine_gauges::EngineGauges;
use super::labels::{self, Api};
use super::leader_changes::LeaderChanges;
use super::repair_gauges::RepairGauges;
use super::watcher_counts::WatcherCounts;
use crate::service::{Service, Watchers};

/// Seconds: from a read in memory to the longest that a request may take.
const DURATION_BUCKETS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// The metrics could not be created or rendered.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Two metrics have one name, or one has none: a defect that every start would show.
    #[error("cannot set up metrics: {0}")]
    Setup(#[source] prometheus::Error),
    /// A collector gave something that has no text form.
    #[error("cannot render metrics: {0}")]
    Render(#[source] prometheus::Error),
    /// The compiled-in description of the gRPC API cannot be read.
    #[error("cannot read the description of the gRPC API: {0}")]
    Descriptors(#[source] prost::DecodeError),
}

/// The metrics of the process.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    commands: IntCounterVec,
    heartbeats: IntCounter,
    leader_changes: LeaderChanges,
}

impl Metrics {
    /// A registry with everything but the engine's gauges, which follow with [`Self::observe`] once there is
    /// an engine.
    ///
    /// # Errors
    /// [`MetricsError::Setup`].
    pub fn new() -> Result<Self, MetricsError> {
        Self::create().map_err(MetricsError::Setup)
    }

    fn create() -> prometheus::Result<Self> {
        let metrics = Self {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new(
                    "coordinator_api_requests_total",
                    "Requests answered, by API, route or RPC, and HTTP or gRPC status.",
                ),
                &["api", "method", "code"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "coordinator_api_request_duration_seconds",
                    "Time from a request's head to the end of its answer, by API and route or RPC.",
                )
                .buckets(DURATION_BUCKETS.to_vec()),
                &["api", "method"],
            )?,
            commands: IntCounterVec::new(
                Opts::new(
                    "coordinator_commands_total",
                    "Commands that this replica gave to the engine, by command and outcome.",
                ),
                &["command", "outcome"],
            )?,
            heartbeats: IntCounter::new(
                "coordinator_heartbeats_received_total",
                "Heartbeats of storage nodes that this replica received, over either API.",
            )?,
            leader_changes: LeaderChanges::new()?,
        };
        let build = IntGauge::with_opts(
            Opts::new("coordinator_build_info", "Always 1; the label names the version.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.commands.clone()))?;
        registry.register(Box::new(metrics.heartbeats.clone()))?;
        registry.register(Box::new(build))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// From now on, shows what an engine holds and where it stands, for as long as somebody else keeps the engine. Once
    /// for each process.
    ///
    /// # Errors
    /// [`MetricsError::Setup`], the second time.
    pub fn observe(&self, engine: &Arc<dyn Engine>) -> Result<(), MetricsError> {
        let gauges = EngineGauges::new(engine, &self.leader_changes).map_err(MetricsError::Setup)?;
        self.registry
            .register(Box::new(gauges))
            .map_err(MetricsError::Setup)
    }

    /// From now on, shows who watches. Once for each process.
    ///
    /// # Errors
    /// [`MetricsError::Setup`], the second time.
    pub fn observe_watchers(&self, watchers: Arc<Watchers>) -> Result<(), MetricsError> {
        let counts = WatcherCounts::new(watchers).map_err(MetricsError::Setup)?;
        self.registry
            .register(Box::new(counts))
            .map_err(MetricsError::Setup)
    }

    /// What the engine over PostgreSQL tells of itself. Once for each process.
    ///
    /// # Errors
    /// [`MetricsError::Setup`], the second time.
    pub fn database(&self) -> Result<DatabaseMetrics, MetricsError> {
        DatabaseMetrics::register(&self.registry).map_err(MetricsError::Setup)
    }

    /// From now on, shows what a service's repair does, for as long as somebody else keeps the service. Once for each process.
    ///
    /// # Errors
    /// [`MetricsError::Setup`], the second time.
    pub fn observe_repair(&self, service: &Arc<Service>) -> Result<(), MetricsError> {
        let gauges = RepairGauges::new(service).map_err(MetricsError::Setup)?;
        self.registry
            .register(Box::new(gauges))
            .map_err(MetricsError::Setup)
    }

    /// Everything in Prometheus' text format. From memory and the process's own files in `/proc`.
    ///
    /// # Errors
    /// [`MetricsError::Render`].
    pub fn render(&self) -> Result<String, MetricsError> {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(MetricsError::Render)
    }

    /// The content type of [`Self::render`].
    pub fn content_type() -> String {
        TextEncoder::new().format_type().to_owned()
    }

    /// Counts a request, and times it if that means anything.
    pub(super) fn request(&self, api: Api, method: &str, code: &str, took: Option<Duration>) {
        self.requests
            .with_label_values(&[api.as_str(), method, code])
            .inc();
        if let Some(took) = took {
            self.durations
                .with_label_values(&[api.as_str(), method])
                .observe(took.as_secs_f64());
        }
        if labels::is_heartbeat(api, method) {
            self.heartbeats.inc();
        }
    }

    /// Counts heartbeats that came over a stream.
    pub(super) fn streamed_heartbeats(&self, count: usize) {
        self.heartbeats.inc_by(count as u64);
    }

    /// Looks at who leads, as often as anybody asks.
    pub(super) fn see(&self, status: &EngineStatus) {
        self.leader_changes.see(status);
    }

    /// Counts a command.
    pub(super) fn command(&self, command: &str, outcome: &str) {
        self.commands.with_label_values(&[command, outcome]).inc();
    }
}
