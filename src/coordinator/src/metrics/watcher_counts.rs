//! Who watches, read at the moment of a scrape.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use super::engine_gauges::gauge_value;
use crate::service::{CutOff, Watchers};

/// Counts of the watchers of this process.
pub(super) struct WatcherCounts {
    watchers: Arc<Watchers>,
    now: IntGauge,
    sent: IntCounter,
    cut_off: IntCounterVec,
}

impl WatcherCounts {
    /// Counts of these.
    pub(super) fn new(watchers: Arc<Watchers>) -> prometheus::Result<Self> {
        Ok(Self {
            watchers,
            now: IntGauge::new("coordinator_watchers", "Clients that watch what changes.")?,
            sent: IntCounter::new(
                "coordinator_watch_events_total",
                "Changes that were handed to watchers.",
            )?,
            cut_off: IntCounterVec::new(
                Opts::new(
                    "coordinator_watchers_cut_off_total",
                    "Watches that the coordinator ended, by reason.",
                ),
                &["reason"],
            )?,
        })
    }

    fn parts(&self) -> [&dyn Collector; 3] {
        [&self.now, &self.sent, &self.cut_off]
    }
}

impl Collector for WatcherCounts {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.now.set(gauge_value(self.watchers.count() as u64));
        raise(&self.sent, self.watchers.sent());
        for reason in CutOff::ALL {
            let counter = self.cut_off.with_label_values(&[reason.as_str()]);
            raise(&counter, self.watchers.cut_off(reason));
        }
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}

/// Brings a counter to where a count is, which only grows.
fn raise(counter: &IntCounter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
}
