//! A node's heartbeat on its way in.
//!
//! It is answered without a write: the beat waits in memory until the next one command records many. Only the
//! beat of a node that counts as inactive is waited for, since the node is active again only once it is
//! recorded.

use std::sync::Arc;
use std::time::Instant;

use zephyrfs_core::engine::{At, BeatingNode, Freshness};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{BeatRow, NodeRow, NodeStats, Observed};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{ReadSet, Rejection, View};

use super::deadline::until;
use super::error::ServiceError;
use super::heartbeats::ReceivedBeat;
use super::request::{HeartbeatReport, RequestContext};
use super::state::Service;
use super::validate;

impl Service {
    /// Takes a heartbeat. The answer is what the node shall do now, each task a JSON object.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known, or was unregistered.
    pub async fn heartbeat(
        &self,
        report: HeartbeatReport,
        context: RequestContext,
    ) -> Result<At<Vec<String>>, ServiceError> {
        let received = Instant::now();
        let HeartbeatReport { node_id, stats } = report;
        let id: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        let stats = stats.as_ref().map(validate::stats).transpose()?;
        let At { index, value: node } = self.beating_node(&id, context.deadline).await?;
        let beat = ReceivedBeat {
            received,
            stats: stats.unwrap_or_else(|| self.last_stats(&id, node.beat.as_ref())),
        };
        let has_tasks = node.tasks > 0;
        let node_id = id.clone();
        let index = match node.row.observed {
            Observed::Active => {
                self.pending_beats.keep(id, beat);
                index
            }
            Observed::Inactive { .. } => self.record_now(id, beat, context.deadline).await?,
        };
        if !has_tasks {
            let value = Vec::new();
            return Ok(At { index, value });
        }
        let value = match self.tasks_for(&node_id, context.deadline).await {
            Ok(tasks) => tasks,
            // The heartbeat counts all the same, and the next one asks again.
            Err(error) => {
                tracing::debug!(node_id = %node_id, %error, "A node's tasks could not be read");
                Vec::new()
            }
        };
        Ok(At { index, value })
    }

    /// The node as this replica has it, or as the leader has it if this one does not know it as registered: it may have
    /// registered through another replica a moment ago.
    async fn beating_node(
        &self,
        id: &NodeId,
        deadline: Option<Instant>,
    ) -> Result<At<BeatingNode>, ServiceError> {
        let here = self.engine.beating(std::slice::from_ref(id));
        let At { index, mut value } = self.read("the node", deadline, here).await?;
        if let Some(value) = value.pop().flatten().filter(|node| !node.row.is_removed()) {
            return Ok(At { index, value });
        }
        let reads = ReadSet {
            nodes: vec![id.clone()],
            node_tasks: vec![(id.clone(), 1)],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, Freshness::default());
        let At { index, value: view } = self.read("the node", deadline, view).await?;
        let row = registered(&view, id).map_err(|rejection| ServiceError::Rejected { rejection, index })?;
        let value = BeatingNode {
            row: Arc::clone(row),
            beat: view.beats.get(id).copied(),
            tasks: view.tasks.len(),
        };
        Ok(At { index, value })
    }

    /// What the node said last; nothing much if it never did.
    pub(super) fn last_stats(&self, id: &NodeId, recorded: Option<&BeatRow>) -> NodeStats {
        self.pending_beats
            .of(id)
            .map(|beat| beat.stats)
            .or_else(|| recorded.map(|beat| beat.stats))
            .unwrap_or_default()
    }

    async fn record_now(
        &self,
        id: NodeId,
        beat: ReceivedBeat,
        deadline: Option<Instant>,
    ) -> Result<AppliedIndex, ServiceError> {
        until(deadline, self.urgent_beats.record(id, beat))
            .await
            .unwrap_or_else(|| {
                Err(ServiceError::UnknownOutcome {
                    reason:
                        "the deadline passed before the heartbeat was recorded; sending it again is harmless"
                            .to_owned(),
                })
            })
    }
}

/// The node, unless it is not known or was unregistered.
pub(super) fn registered<'a>(view: &'a View, id: &NodeId) -> Result<&'a Arc<NodeRow>, Rejection> {
    match view.nodes.get(id) {
        None => Err(Rejection::NodeNotFound { node: id.clone() }),
        Some(node) if node.is_removed() => Err(Rejection::NodeRemoved { node: id.clone() }),
        Some(node) => Ok(node),
    }
}
