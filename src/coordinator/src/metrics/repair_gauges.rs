//! What repair found and does, read at the moment of a scrape. Only the leader looks at chunks, so only the leader shows it, and
//! only what it found since it leads.

use std::sync::{Arc, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use zephyrfs_core::repair::Class;

use super::engine_gauges::gauge_value;
use crate::service::{PassReport, RepairReport, Service};

/// As many draining nodes are shown: more would make too many series.
const MAX_DRAINS: usize = 100;

/// The gauges.
pub(super) struct RepairGauges {
    /// Nobody is kept alive to be looked at: the engine must be let go before its files are closed.
    service: Weak<Service>,
    braked: IntGauge,
    silent: IntGauge,
    rebalancing: IntGauge,
    window: IntGauge,
    chunks_by_copies: IntGaugeVec,
    waiting_chunks: IntGaugeVec,
    waiting_bytes: IntGaugeVec,
    oldest_waiting: IntGaugeVec,
    awaiting_nodes: IntGauge,
    without_source: IntGauge,
    unconfirmed: IntGauge,
    violations: IntGauge,
    drain_copies: IntGaugeVec,
    drain_bytes: IntGaugeVec,
    pass: Gauge,
    progress: Gauge,
    lag: Gauge,
    told_bytes: IntCounterVec,
}

fn by(label: &'static str, name: &str, help: &str) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(name, help), &[label])
}

impl RepairGauges {
    /// Gauges of what a service's repair does.
    pub(super) fn new(service: &Arc<Service>) -> prometheus::Result<Self> {
        Ok(Self {
            service: Arc::downgrade(service),
            braked: IntGauge::new(
                "coordinator_repair_braked",
                "1 while repair is stopped because very many nodes fell silent together, else 0; only on the leader.",
            )?,
            silent: IntGauge::new(
                "coordinator_repair_braked_nodes",
                "Nodes whose silence stops repair; only on the leader.",
            )?,
            rebalancing: IntGauge::new(
                "coordinator_rebalancing",
                "1 while copies move from full nodes to empty ones, else 0; only on the leader.",
            )?,
            window: IntGauge::new(
                "coordinator_repair_window_tasks",
                "How many copies that are not urgent, and how many deletions, may be under way at once, so that clients \
                 hardly notice; only on the leader.",
            )?,
            chunks_by_copies: by(
                "copies",
                "coordinator_chunks_by_copies",
                "Chunks by how many copies are stored on nodes in service that are heard from; 10 means 10 or more. Of the \
                 last whole pass; only on the leader.",
            )?,
            waiting_chunks: by(
                "class",
                "coordinator_repair_waiting_chunks",
                "Chunks of which something is to be done or under way, by class. Of the last whole pass; only on the leader.",
            )?,
            waiting_bytes: by(
                "class",
                "coordinator_repair_waiting_bytes",
                "Bytes that are to be copied or dropped, by class. Of the last whole pass; only on the leader.",
            )?,
            oldest_waiting: by(
                "class",
                "coordinator_repair_oldest_waiting_seconds",
                "How long the chunk has waited that has waited longest, by class. Of the last whole pass; only on the leader.",
            )?,
            awaiting_nodes: IntGauge::new(
                "coordinator_chunks_awaiting_nodes",
                "Chunks that lack copies because a silent node, such as one in maintenance, is still expected back. Of the \
                 last whole pass; only on the leader.",
            )?,
            without_source: IntGauge::new(
                "coordinator_chunks_without_source",
                "Chunks that lack copies and of which no node with a copy is heard from. Of the last whole pass; only on the \
                 leader.",
            )?,
            unconfirmed: IntGauge::new(
                "coordinator_chunks_unconfirmed",
                "Chunks of which no copy is known to be stored: clients may not have brought the first one yet. Of the last \
                 whole pass; only on the leader.",
            )?,
            violations: IntGauge::new(
                "coordinator_placement_violations",
                "Chunks whose copies share a failure domain though another is free. Of the last whole pass; only on the \
                 leader.",
            )?,
            drain_copies: by(
                "node",
                "coordinator_drain_remaining_copies",
                "Copies that are left on a draining node; only on the leader, and of a hundred nodes at most.",
            )?,
            drain_bytes: by(
                "node",
                "coordinator_drain_remaining_bytes",
                "Bytes that are left on a draining node; only on the leader, and of a hundred nodes at most.",
            )?,
            pass: Gauge::new(
                "coordinator_patrol_pass_seconds",
                "How long the last whole pass over all chunks took; only on the leader.",
            )?,
            progress: Gauge::new(
                "coordinator_patrol_progress_ratio",
                "Share of all chunks that the pass under way has looked at, 0 between passes; only on the leader.",
            )?,
            lag: Gauge::new(
                "coordinator_patrol_lag_seconds",
                "Time since the last whole pass over all chunks ended, or since this replica began to lead; only on the \
                 leader.",
            )?,
            told_bytes: IntCounterVec::new(
                Opts::new(
                    "coordinator_repair_bytes_total",
                    "Bytes that this replica told nodes to copy while it led, by class.",
                ),
                &["class"],
            )?,
        })
    }

    /// What is so now.
    fn present(&self) -> [&dyn Collector; 8] {
        [
            &self.braked,
            &self.silent,
            &self.rebalancing,
            &self.window,
            &self.drain_copies,
            &self.drain_bytes,
            &self.progress,
            &self.lag,
        ]
    }

    /// What the last whole pass found.
    fn found(&self) -> [&dyn Collector; 9] {
        [
            &self.chunks_by_copies,
            &self.waiting_chunks,
            &self.waiting_bytes,
            &self.oldest_waiting,
            &self.awaiting_nodes,
            &self.without_source,
            &self.unconfirmed,
            &self.violations,
            &self.pass,
        ]
    }

    fn show(&self, report: &RepairReport, chunks: u64) {
        let silent = report.brake.as_ref().map_or(0, |brake| brake.silent.len());
        self.braked.set(i64::from(report.brake.is_some()));
        self.silent.set(gauge_value(silent as u64));
        self.rebalancing.set(i64::from(report.rebalances));
        self.window.set(gauge_value(report.window as u64));
        self.drain_copies.reset();
        self.drain_bytes.reset();
        for (node, usage) in report.drains.iter().take(MAX_DRAINS) {
            let labels = [node.as_str()];
            self.drain_copies
                .with_label_values(&labels)
                .set(gauge_value(usage.copies));
            self.drain_bytes
                .with_label_values(&labels)
                .set(gauge_value(usage.bytes.get()));
        }
        let since = report
            .last_pass
            .as_ref()
            .map(|pass| pass.ended.0)
            .or(report.since);
        self.lag
            .set(since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
        self.progress.set(if chunks == 0 {
            0.0
        } else {
            (report.looked_at as f64 / chunks as f64).min(1.0)
        });
    }

    fn show_pass(&self, pass: &PassReport) {
        let tally = &pass.tally;
        self.pass.set(pass.took.as_secs_f64());
        self.chunks_by_copies.reset();
        for (copies, chunks) in &tally.by_copies {
            self.chunks_by_copies
                .with_label_values(&[copies.to_string()])
                .set(gauge_value(*chunks));
        }
        for class in Class::ALL {
            let waiting = tally.waiting.get(&class).copied().unwrap_or_default();
            let waited = waiting.oldest.map_or(0, |since| {
                pass.ended.1.since(since).get() / 1_000 + pass.ended.0.elapsed().as_secs()
            });
            let labels = [class.as_str()];
            self.waiting_chunks
                .with_label_values(&labels)
                .set(gauge_value(waiting.chunks));
            self.waiting_bytes
                .with_label_values(&labels)
                .set(gauge_value(waiting.bytes.get()));
            self.oldest_waiting
                .with_label_values(&labels)
                .set(gauge_value(waited));
        }
        let misplaced = tally
            .waiting
            .get(&Class::Misplaced)
            .map_or(0, |waiting| waiting.chunks);
        self.violations.set(gauge_value(misplaced));
        self.awaiting_nodes.set(gauge_value(tally.awaiting_nodes));
        self.unconfirmed.set(gauge_value(tally.unconfirmed));
        self.without_source.set(gauge_value(tally.without_source));
    }
}

impl Collector for RepairGauges {
    fn desc(&self) -> Vec<&Desc> {
        let parts = self.present().into_iter().chain(self.found());
        parts
            .chain([&self.told_bytes as &dyn Collector])
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(service) = self.service.upgrade() else {
            return Vec::new();
        };
        for (class, bytes) in service.repair_bytes_told() {
            let counter = self.told_bytes.with_label_values(&[class.as_str()]);
            counter.inc_by(bytes.saturating_sub(counter.get()));
        }
        let mut families = self.told_bytes.collect();
        if let Some(report) = service.repair_report() {
            self.show(&report, service.chunks());
            families.extend(self.present().into_iter().flat_map(Collector::collect));
            // A zero would say that nothing is lacking, before anybody has looked.
            if let Some(pass) = &report.last_pass {
                self.show_pass(pass);
                families.extend(self.found().into_iter().flat_map(Collector::collect));
            }
        }
        families
    }
}
