//! Gauges of what the engine holds and where it stands, read at the moment of a scrape.

use std::sync::{Arc, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, IntGaugeVec, Opts};
use zephyrfs_core::Engine;
use zephyrfs_core::row::{NodeStatus, TaskKind};

use super::cluster_gauges::ClusterGauges;
use super::leader_changes::LeaderChanges;

/// The gauges of one engine.
pub(super) struct EngineGauges {
    /// Not kept alive from here: the engine counts its commands in the registry that holds these gauges, and in a circle
    /// neither would ever be let go, nor its files closed.
    engine: Weak<dyn Engine>,
    nodes: IntGaugeVec,
    files: IntGauge,
    chunks: IntGauge,
    unreferenced_chunks: IntGauge,
    tasks: IntGaugeVec,
    cluster: ClusterGauges,
    /// Shown from here, and not by itself, so that a scrape counts what it is the first to see.
    leader_changes: IntCounter,
}

impl EngineGauges {
    /// Gauges over an engine.
    pub(super) fn new(engine: &Arc<dyn Engine>, leader_changes: &LeaderChanges) -> prometheus::Result<Self> {
        Ok(Self {
            engine: Arc::downgrade(engine),
            // The names of the first three end in `_total` though they are gauges: dashboards have them so.
            nodes: IntGaugeVec::new(
                Opts::new("coordinator_nodes_total", "Storage nodes, by status."),
                &["status"],
            )?,
            files: IntGauge::new("coordinator_files_total", "Registered files.")?,
            chunks: IntGauge::new("coordinator_chunks_total", "Chunks that some file holds.")?,
            unreferenced_chunks: IntGauge::new(
                "coordinator_unreferenced_chunks",
                "Chunks that no file holds and that are kept for a grace period.",
            )?,
            tasks: IntGaugeVec::new(
                Opts::new(
                    "coordinator_tasks",
                    "Tasks that storage nodes have not finished, by type.",
                ),
                &["type"],
            )?,
            cluster: ClusterGauges::new()?,
            leader_changes: leader_changes.counter(),
        })
    }

    fn refresh(&self, engine: &dyn Engine) {
        let totals = engine.totals().value;
        for status in NodeStatus::ALL {
            self.nodes
                .with_label_values(&[status.as_str()])
                .set(gauge_value(totals.nodes_with(status)));
        }
        self.files.set(gauge_value(totals.files));
        self.chunks.set(gauge_value(totals.chunks));
        self.unreferenced_chunks
            .set(gauge_value(totals.unreferenced_chunks));
        for kind in TaskKind::ALL {
            self.tasks
                .with_label_values(&[kind.as_str()])
                .set(gauge_value(totals.tasks_of(kind)));
        }
        self.cluster.show(&engine.status());
    }

    fn parts(&self) -> impl Iterator<Item = &dyn Collector> {
        let state: [&dyn Collector; 6] = [
            &self.leader_changes,
            &self.nodes,
            &self.files,
            &self.chunks,
            &self.unreferenced_chunks,
            &self.tasks,
        ];
        state.into_iter().chain(self.cluster.parts())
    }
}

impl Collector for EngineGauges {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().flat_map(Collector::desc).collect()
    }

    /// Nothing once the engine is gone.
    fn collect(&self) -> Vec<MetricFamily> {
        let Some(engine) = self.engine.upgrade() else {
            return Vec::new();
        };
        self.refresh(&*engine);
        self.parts().flat_map(Collector::collect).collect()
    }
}

/// The value that a gauge shows for a number: one that does not fit stops at the end of the range.
pub(super) fn gauge_value(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
