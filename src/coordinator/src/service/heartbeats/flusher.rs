//! Records the beats that wait: one command in every flush interval and for every 1,000 nodes, and at once
//! where somebody waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zephyrfs_core::command::{Heartbeat, PAGE, RecordHeartbeats};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::{AppliedIndex, Millis};
use zephyrfs_core::{Command, Engine, Proposal, ReadSet, Rejection, Response};

use super::pending::Pending;
use super::received::ReceivedBeat;
use super::urgent::{Urgent, Waiting};
use crate::service::deadline::until;
use crate::service::engine_error::{translate, wrong_answer};
use crate::service::error::ServiceError;
use crate::service::freshness::local_at;
use crate::service::ids::IdSource;
use crate::service::throttle::Throttle;

/// How long one command may take before its beats are proposed again: recording a beat twice is harmless.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same where nodes wait for it: without a leader they are to hear so in time, and try again.
const URGENT_PATIENCE: Duration = Duration::from_secs(2);

/// How often a failure that lasts is logged.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// Records beats until it is told to stop.
pub(in crate::service) struct Flusher<'a> {
    pub(in crate::service) engine: &'a Arc<dyn Engine>,
    pub(in crate::service) ids: &'a IdSource,
    pub(in crate::service) pending: &'a Pending,
    pub(in crate::service) urgent: &'a Urgent,
    /// How long a node may be silent before it counts as inactive.
    pub(in crate::service) inactive_after: Millis,
}

/// What came of one command.
struct Recorded {
    index: AppliedIndex,
    /// Nodes that are not registered, or no longer.
    refused: BTreeSet<NodeId>,
}

impl Flusher<'_> {
    /// Records beats in every `interval` until `stop`, and then what is left.
    pub(in crate::service) async fn run(&self, interval: Duration, stop: CancellationToken) {
        let interval = interval.max(Duration::from_millis(1));
        let mut ticks = interval_at((Instant::now() + interval).into(), interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = Failures::none();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.urgent.arrived() => self.record_urgent().await,
                _ = ticks.tick() => {
                    let result = self.record_pending().await;
                    failures.note(result);
                }
            }
        }
        self.urgent.close();
        self.record_urgent().await;
        if let Err(error) = self.record_pending().await {
            warn!(
                %error,
                heartbeats = self.pending.all().len(),
                "Stopped before the last heartbeats were recorded; the nodes' next ones make up for them"
            );
        }
    }

    async fn record_pending(&self) -> Result<(), ServiceError> {
        for batch in self.pending.all().chunks(PAGE) {
            let recorded = self.record(batch, PATIENCE).await?;
            self.wait_until_seen_here(recorded.index).await;
            self.pending.recorded(batch);
        }
        Ok(())
    }

    /// Beats shown to readers until now are shown from the state from now on: this waits until it has them.
    async fn wait_until_seen_here(&self, index: AppliedIndex) {
        // If it does not come to that, readers see an older beat for a moment; nothing is lost.
        let _ = until(
            in_a_while(),
            self.engine.view(ReadSet::default(), local_at(index)),
        )
        .await;
    }

    async fn record_urgent(&self) {
        let mut waiting = self.urgent.take();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(PAGE));
            self.record_for(waiting).await;
            waiting = rest;
        }
    }

    async fn record_for(&self, waiting: Vec<Waiting>) {
        let batch: Vec<_> = waiting
            .iter()
            .map(|waiting| (waiting.node.clone(), waiting.beat))
            .collect();
        let recorded = self.record(&batch, URGENT_PATIENCE).await;
        for Waiting { node, answer, .. } in waiting {
            let result = match &recorded {
                Ok(recorded) if recorded.refused.contains(&node) => Err(ServiceError::Rejected {
                    rejection: Rejection::NodeRemoved { node },
                    index: recorded.index,
                }),
                Ok(recorded) => Ok(recorded.index),
                Err(error) => Err(error.clone()),
            };
            // A sender that no longer waits needs no answer.
            let _ = answer.send(result);
        }
    }

    async fn record(
        &self,
        batch: &[(NodeId, ReceivedBeat)],
        within: Duration,
    ) -> Result<Recorded, ServiceError> {
        let now = Instant::now();
        let beats = batch
            .iter()
            .map(|(node, beat)| Heartbeat {
                node: node.clone(),
                age: beat.age(now),
                stats: beat.stats,
            })
            .collect();
        let proposal = Proposal {
            id: self.ids.request(),
            idempotency: None,
            command: Command::RecordHeartbeats(RecordHeartbeats {
                beats,
                inactive_after: self.inactive_after,
            }),
        };
        let result = self.engine.execute(proposal, within).await;
        let answer = result.map_err(|error| translate(error, false))?;
        let Response::HeartbeatsRecorded { refused } = answer.value else {
            return Err(wrong_answer("record_heartbeats"));
        };
        Ok(Recorded {
            index: answer.index,
            refused: refused.into_iter().collect(),
        })
    }
}

fn in_a_while() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}

/// Logs that recording fails, once in a while, and that it works again.
struct Failures {
    reminders: Throttle,
    since: Option<Instant>,
}

impl Failures {
    const fn none() -> Self {
        Self {
            reminders: Throttle::new(REMIND_EVERY),
            since: None,
        }
    }

    fn note(&mut self, result: Result<(), ServiceError>) {
        let now = Instant::now();
        match (result, self.since) {
            (Ok(()), None) => {}
            (Ok(()), Some(since)) => {
                self.since = None;
                info!(after = ?now.saturating_duration_since(since), "Heartbeats are being recorded again");
            }
            (Err(error), since) => {
                self.since = since.or(Some(now));
                if self.reminders.lets_pass(now) {
                    warn!(%error, "Heartbeats cannot be recorded just now; they are kept and tried again");
                }
            }
        }
    }
}
