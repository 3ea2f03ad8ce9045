//! The brake on repair: what it is about, and how an operator lifts it.

use std::sync::Arc;

use zephyrfs_core::command::{PAGE, WriteOffNodes};
use zephyrfs_core::engine::{At, Freshness};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::repair::{Brake, Class};
use zephyrfs_core::{Command, Response};

use super::engine_error::wrong_answer;
use super::error::ServiceError;
use super::repair::RepairReport;
use super::request::RequestContext;
use super::state::Service;

/// What repair does, and whether it is stopped.
#[derive(Debug, Clone)]
pub struct RepairStatus {
    /// Whether repair is stopped, as this replica works it out of the nodes' rows; every replica comes to the same.
    pub brake: Option<Arc<Brake>>,
    /// What this replica found while it led; `None` if it does not lead.
    pub report: Option<RepairReport>,
}

impl Service {
    /// What repair does, and whether it is stopped.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn repair_status(&self, context: RequestContext) -> Result<At<RepairStatus>, ServiceError> {
        let picture = self.nodes_read_anew(context.freshness, context.deadline).await?;
        let value = RepairStatus {
            brake: picture.brake.clone().map(Arc::new),
            report: self.repair_report(),
        };
        let index = self.engine.totals().index;
        Ok(At { index, value })
    }

    /// What this replica found while it led; `None` if it does not lead.
    pub fn repair_report(&self) -> Option<RepairReport> {
        self.engine.status().leads.then(|| self.repair_state.report())
    }

    /// Bytes that this replica told nodes to copy while it led, by class.
    pub fn repair_bytes_told(&self) -> Vec<(Class, u64)> {
        self.repair_state.report().bytes_told
    }

    /// Chunks that files hold, as this replica counts them.
    pub fn chunks(&self) -> u64 {
        self.engine.totals().value.chunks
    }

    /// Lifts the brake: the nodes that fell silent together are not waited for. Answers how many they were; none if repair
    /// is not stopped.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn release_brake(&self, context: RequestContext) -> Result<At<u64>, ServiceError> {
        let picture = self
            .nodes_read_anew(Freshness::default(), context.deadline)
            .await?;
        let silent: Vec<NodeId> = picture
            .brake
            .iter()
            .flat_map(|brake| brake.silent.iter().cloned())
            .collect();
        let mut released = At {
            index: self.engine.totals().index,
            value: 0,
        };
        for nodes in silent.chunks(PAGE) {
            let command = Command::WriteOffNodes(WriteOffNodes {
                nodes: nodes.to_vec(),
            });
            let At { index, value } = self.propose(command, None, context.deadline).await?;
            let Response::NodesWrittenOff { nodes } = value else {
                return Err(wrong_answer("write_off_nodes"));
            };
            released.index = index;
            released.value += nodes;
        }
        if released.value > 0 {
            tracing::warn!(
                nodes = released.value,
                "An operator lifted the brake: silent nodes are not waited for, and their chunks are copied elsewhere"
            );
        }
        Ok(released)
    }
}
