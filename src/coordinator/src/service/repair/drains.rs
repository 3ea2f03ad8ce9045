//! Drains: refused when they could never end, and ended when their nodes are empty.

use std::time::Instant;

use zephyrfs_core::command::{FinishDrains, PAGE};
use zephyrfs_core::engine::Freshness;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::repair::{Nodes, check_room};
use zephyrfs_core::row::{AfterDrain, NodeRow};
use zephyrfs_core::units::ByteSize;
use zephyrfs_core::{Command, ReadSet, Response};

use crate::service::engine_error::wrong_answer;
use crate::service::error::ServiceError;
use crate::service::freshness::local;
use crate::service::picture::Picture;
use crate::service::state::Service;

impl Service {
    /// Ends the drains of nodes on which nothing lies any more.
    pub(super) async fn finish_drains(&self, picture: &Picture) -> Result<(), ServiceError> {
        let draining: Vec<NodeId> = picture
            .nodes()
            .filter(|node| {
                let drain = node.row.drain();
                drain.is_some_and(|drain| drain.done_at.is_none() || drain.then == AfterDrain::Remove)
            })
            .map(|node| node.id.clone())
            .collect();
        let mut left = Vec::new();
        for nodes in draining.chunks(PAGE) {
            let reads = ReadSet {
                usage: nodes.to_vec(),
                ..ReadSet::default()
            };
            let view = self.engine.view(reads, local());
            let usage = self
                .read("what lies on draining nodes", None, view)
                .await?
                .value
                .usage;
            let (empty, others): (Vec<_>, Vec<_>) =
                usage.into_iter().partition(|(_, usage)| usage.is_empty());
            left.extend(others);
            let empty: Vec<NodeId> = empty.into_iter().map(|(node, _)| node).collect();
            if empty.is_empty() {
                continue;
            }
            let command = Command::FinishDrains(FinishDrains { nodes: empty });
            let Response::DrainsFinished { drained, removed } = self.propose_by_itself(command).await? else {
                return Err(wrong_answer("finish_drains"));
            };
            for node in drained {
                tracing::info!(node_id = %node, "Node drained; it can be switched off");
            }
            for node in removed {
                self.pending_beats.forget(&node);
                tracing::info!(node_id = %node, "Node drained and unregistered; it can be switched off");
            }
        }
        self.repair_state.note_drains(left);
        Ok(())
    }

    /// Refuses to drain a node whose chunks the others cannot take over, or with fewer others in service than needed.
    ///
    /// # Errors
    /// [`ServiceError::DrainRefused`] with what is missing, or why that could not be found out.
    pub(in crate::service) async fn refuse_hopeless_drain(
        &self,
        node: &NodeId,
        then: AfterDrain,
        others_needed: usize,
        deadline: Option<Instant>,
    ) -> Result<(), ServiceError> {
        let picture = self.nodes_read_anew(Freshness::default(), deadline).await?;
        // Asked again, or by a client that lost the answer: the drain goes on, however little room there is by now.
        let goes_already =
            |row: &NodeRow| row.is_removed() || row.drain().is_some_and(|drain| drain.then == then);
        if picture.node(node).is_some_and(goes_already) {
            return Ok(());
        }
        let leaving: Vec<NodeId> = picture
            .nodes()
            .filter(|other| other.row.drain().is_some() && other.id != node)
            .map(|other| other.id.clone())
            .collect();
        let reads = ReadSet {
            usage: leaving.iter().chain([node]).cloned().collect(),
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, local());
        let view = self.read("what lies on the node", deadline, view).await?;
        let usage = |node: &NodeId| view.value.usage.get(node).copied().unwrap_or_default();
        let leaving = leaving
            .iter()
            .fold(ByteSize::ZERO, |sum, other| sum.plus(usage(other).bytes));
        let others = picture.candidates.iter().filter(|other| other.id != *node);
        check_room(usage(node), others, leaving, others_needed).map_err(|shortfall| {
            ServiceError::DrainRefused {
                node: node.clone(),
                shortfall,
                index: view.index,
            }
        })
    }
}
