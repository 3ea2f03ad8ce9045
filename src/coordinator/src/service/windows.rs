//! Heartbeats of many nodes on their way in, a window at a time.
//!
//! What is asked for each beat of its own in `liveness` is asked here once for all beats of a window: what this replica
//! knows of the nodes, what the leader knows of those that it does not, and their tasks. Whatever goes wrong with one
//! beat is its own outcome and leaves the others alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use zephyrfs_core::engine::{At, BeatingNode, Freshness};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{NodeStats, Observed};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{ReadSet, View};

use super::deadline::until;
use super::error::{InvalidField, ServiceError};
use super::heartbeats::ReceivedBeat;
use super::liveness::registered;
use super::request::HeartbeatReport;
use super::state::Service;
use super::validate;

/// The most beats in a window.
const MAX_BEATS: usize = 1_000;

/// How long a window waits for the leader, at most: those behind it wait too. Without a leader the beats for which it is
/// needed are to be sent again.
const PATIENCE: Duration = Duration::from_secs(2);

/// A beat of a window after which its node has something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotableBeat {
    /// Which beat of the window, from 0.
    pub position: usize,
    /// The node; `None` if its id is what is malformed.
    pub node: Option<NodeId>,
    /// The node's tasks, each a JSON object, or why the beat does not count.
    pub outcome: Result<Vec<String>, ServiceError>,
}

/// A beat that was checked.
struct Beat {
    position: usize,
    node: NodeId,
    stats: Option<NodeStats>,
}

/// What becomes of the beats of one window.
#[derive(Default)]
struct Sorted {
    active: Vec<(NodeId, ReceivedBeat)>,
    inactive: Vec<(NodeId, ReceivedBeat)>,
    /// Where the beats of inactive nodes stand.
    inactive_at: Vec<usize>,
    unknown: Vec<Beat>,
    /// Nodes that have tasks: where their beats stand, and how many tasks these are.
    with_tasks: BTreeMap<NodeId, (usize, usize)>,
    notable: Vec<NotableBeat>,
}

impl Service {
    /// Takes a window of heartbeats. The answer is of those beats only after which there is something to do, in the
    /// window's order.
    ///
    /// # Errors
    /// [`ServiceError`]; `Invalid` if there are too many beats. What is wrong with a single beat is in its outcome.
    pub async fn heartbeats(
        &self,
        reports: Vec<HeartbeatReport>,
        deadline: Option<Instant>,
    ) -> Result<At<Vec<NotableBeat>>, ServiceError> {
        let received = Instant::now();
        if reports.len() > MAX_BEATS {
            let problem = format!("must have at most {MAX_BEATS} beats, got {}", reports.len());
            return Err(InvalidField::new("beats", problem).into());
        }
        let patience = received + PATIENCE;
        let deadline = Some(deadline.map_or(patience, |deadline| deadline.min(patience)));
        let mut sorted = Sorted::default();
        let beats = self.valid_beats(reports, &mut sorted);
        let nodes: Vec<_> = beats.iter().map(|beat| beat.node.clone()).collect();
        let At { mut index, value } = self
            .read("the nodes", deadline, self.engine.beating(&nodes))
            .await?;
        for (beat, known) in beats.into_iter().zip(value) {
            match known.filter(|known| !known.row.is_removed()) {
                Some(known) => self.sort(beat, &known, received, &mut sorted),
                None => sorted.unknown.push(beat),
            }
        }
        // At once: a stream that ends while strangers are asked for takes nothing back.
        self.pending_beats.keep_all(std::mem::take(&mut sorted.active));
        self.ask_for_unknown(&mut sorted, received, deadline).await;
        self.pending_beats.keep_all(std::mem::take(&mut sorted.active));
        if let Some(recorded) = self.record_inactive(&mut sorted, deadline).await {
            index = index.max(recorded);
        }
        self.add_tasks(&mut sorted, deadline).await;
        let mut value = sorted.notable;
        value.sort_by_key(|beat| beat.position);
        Ok(At { index, value })
    }

    fn valid_beats(&self, reports: Vec<HeartbeatReport>, sorted: &mut Sorted) -> Vec<Beat> {
        let mut beats = Vec::with_capacity(reports.len());
        for (position, HeartbeatReport { node_id, stats }) in reports.into_iter().enumerate() {
            let node: NodeId = match validate::id(&self.limits, "node_id", node_id) {
                Ok(node) => node,
                Err(error) => {
                    sorted.fail(position, None, error);
                    continue;
                }
            };
            match stats.as_ref().map(validate::stats).transpose() {
                Ok(stats) => beats.push(Beat {
                    position,
                    node,
                    stats,
                }),
                Err(error) => sorted.fail(position, Some(node), error),
            }
        }
        beats
    }

    /// Decides what becomes of the beat of a registered node.
    fn sort(&self, beat: Beat, known: &BeatingNode, received: Instant, sorted: &mut Sorted) {
        let Beat {
            position,
            node,
            stats,
        } = beat;
        let stats = stats.unwrap_or_else(|| self.last_stats(&node, known.beat.as_ref()));
        let beat = ReceivedBeat { received, stats };
        if known.tasks > 0 {
            sorted.with_tasks.insert(node.clone(), (position, known.tasks));
        }
        match known.row.observed {
            Observed::Active => sorted.active.push((node, beat)),
            Observed::Inactive { .. } => {
                sorted.inactive_at.push(position);
                sorted.inactive.push((node, beat));
            }
        }
    }

    /// Looks for the nodes that this replica does not know as registered where the leader has them: they may have
    /// registered through another replica a moment ago.
    async fn ask_for_unknown(&self, sorted: &mut Sorted, received: Instant, deadline: Option<Instant>) {
        let unknown = std::mem::take(&mut sorted.unknown);
        if unknown.is_empty() {
            return;
        }
        let reads = ReadSet {
            nodes: unknown.iter().map(|beat| beat.node.clone()).collect(),
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, Freshness::default());
        let view: Result<At<View>, ServiceError> = self.read("the nodes", deadline, view).await;
        for beat in unknown {
            let found = view.as_ref().map_err(ServiceError::clone).and_then(|view| {
                let row =
                    registered(&view.value, &beat.node).map_err(|rejection| ServiceError::Rejected {
                        rejection,
                        index: view.index,
                    })?;
                Ok(BeatingNode {
                    row: row.clone(),
                    beat: view.value.beats.get(&beat.node).copied(),
                    // This replica will know of them by the next beat.
                    tasks: 0,
                })
            });
            match found {
                Ok(known) => self.sort(beat, &known, received, sorted),
                Err(error) => sorted.fail(beat.position, Some(beat.node), error),
            }
        }
    }

    /// Records the beats of nodes that count as inactive, and waits for that: they are active again only then. Gives the
    /// index at which the last of them was recorded.
    async fn record_inactive(&self, sorted: &mut Sorted, deadline: Option<Instant>) -> Option<AppliedIndex> {
        let beats = std::mem::take(&mut sorted.inactive);
        if beats.is_empty() {
            return None;
        }
        let nodes: Vec<_> = beats.iter().map(|(node, _)| node.clone()).collect();
        let answers = until(deadline, self.urgent_beats.record_all(beats)).await;
        let answers = answers.unwrap_or_else(|| vec![Err(late()); nodes.len()]);
        let mut index = None;
        let positions = std::mem::take(&mut sorted.inactive_at);
        for ((position, node), answer) in positions.into_iter().zip(nodes).zip(answers) {
            match answer {
                Ok(recorded) => index = index.max(Some(recorded)),
                Err(error) => {
                    // A node whose beat does not count is told nothing.
                    sorted.with_tasks.remove(&node);
                    sorted.fail(position, Some(node), error);
                }
            }
        }
        index
    }

    async fn add_tasks(&self, sorted: &mut Sorted, deadline: Option<Instant>) {
        if sorted.with_tasks.is_empty() {
            return;
        }
        let nodes: Vec<_> = sorted
            .with_tasks
            .iter()
            .map(|(node, (_, tasks))| (node.clone(), *tasks))
            .collect();
        match self.tasks_for_many(&nodes, deadline).await {
            Ok(told) => {
                for (node, tasks) in told {
                    if let Some(&(position, _)) = sorted.with_tasks.get(&node) {
                        sorted.notable.push(NotableBeat {
                            position,
                            node: Some(node),
                            outcome: Ok(tasks),
                        });
                    }
                }
            }
            // The heartbeats count all the same, and the next ones ask again.
            Err(error) => {
                tracing::debug!(nodes = nodes.len(), %error, "The tasks of the nodes of a window could not be read");
            }
        }
    }
}

impl Sorted {
    fn fail(&mut self, position: usize, node: Option<NodeId>, error: ServiceError) {
        let outcome = Err(error);
        self.notable.push(NotableBeat {
            position,
            node,
            outcome,
        });
    }
}

fn late() -> ServiceError {
    ServiceError::UnknownOutcome {
        reason: "the heartbeat was not recorded in time; sending it again is harmless".to_owned(),
    }
}
