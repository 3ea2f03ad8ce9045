//! The brake on repair: what it is about, and how an operator lifts it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use zephyrfs_core::command::{PAGE, WriteOffNodes};
use zephyrfs_core::engine::{At, Freshness};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::repair::{Brake, Class, Nodes as _};
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
    /// What this replica found since it leads, empty before it has looked; `None` if it does not lead.
    pub report: Option<RepairReport>,
}

/// What lifting the brake came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrakeReleased {
    /// How many nodes are no longer waited for; none if repair was not stopped.
    pub nodes: u64,
    /// How many of the nodes that stopped it are not found silent yet, and were not heard from lately either: they are not
    /// written off, and may stop it again.
    pub late: usize,
    /// Why repair is stopped all the same; `None` if it is not.
    pub brake: Option<Brake>,
}

impl fmt::Display for BrakeReleased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, late, brake } = self;
        match brake {
            Some(Brake { silent, of, .. }) => write!(
                f,
                "Repair is still stopped: {} of {of} nodes fell silent together; {nodes} others are not waited for",
                silent.len()
            )?,
            None if *nodes == 0 => f.write_str("Repair is not stopped")?,
            None => write!(f, "Repair goes on; {nodes} silent nodes are not waited for")?,
        }
        if *late > 0 {
            write!(
                f,
                ". {late} others are about to be found silent, which may stop it again: then release it again"
            )?;
        }
        Ok(())
    }
}

impl Service {
    /// What repair does, and whether it is stopped.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn repair_status(&self, context: RequestContext) -> Result<At<RepairStatus>, ServiceError> {
        let picture = self.nodes_read_anew(context.freshness, context.deadline).await?;
        let status = self.engine.status();
        let report = || self.repair_state.report_of(status.term).unwrap_or_default();
        let value = RepairStatus {
            brake: picture.brake.clone().map(Arc::new),
            report: status.leads.then(report),
        };
        let index = self.engine.totals().index;
        Ok(At { index, value })
    }

    /// What this replica found since it leads; `None` if it does not lead, or has not looked yet.
    pub fn repair_report(&self) -> Option<RepairReport> {
        let status = self.engine.status();
        let of_this_term = || self.repair_state.report_of(status.term);
        status.leads.then(of_this_term).flatten()
    }

    /// Bytes that this replica told nodes to copy while it led, by class.
    pub fn repair_bytes_told(&self) -> Vec<(Class, u64)> {
        self.repair_state.bytes_told()
    }

    /// Chunks that files hold, as this replica counts them.
    pub fn chunks(&self) -> u64 {
        self.engine.totals().value.chunks
    }

    /// Lifts the brake: the nodes that fell silent together are not waited for. When those of one time are written off, others
    /// may be left that fell silent together at another; they are, too, until nothing is left that stops repair.
    ///
    /// # Errors
    /// [`ServiceError`]; what was written off by then stays so.
    pub async fn release_brake(&self, context: RequestContext) -> Result<At<BrakeReleased>, ServiceError> {
        let mut released = BrakeReleased::default();
        let mut asked_for = BTreeSet::new();
        let mut is_progress = true;
        loop {
            let picture = self
                .nodes_read_anew(Freshness::default(), context.deadline)
                .await?;
            // A node that came back meanwhile is not written off, so what stops repair is asked once more before that is said.
            let brake = picture.brake.as_ref();
            let Some(brake) = brake.filter(|_| is_progress) else {
                released.late = asked_for.iter().filter(|node| picture.is_late(node)).count();
                released.brake = brake.cloned();
                break;
            };
            let written_off = self.write_off(brake, context.deadline).await?;
            asked_for.extend(brake.silent.iter().cloned());
            released.nodes += written_off;
            is_progress = written_off > 0;
        }
        Ok(At {
            index: self.engine.totals().index,
            value: released,
        })
    }

    /// Writes off the nodes that fell silent together. Answers how many are so that were not.
    async fn write_off(&self, brake: &Brake, deadline: Option<Instant>) -> Result<u64, ServiceError> {
        let silent: Vec<NodeId> = brake.silent.iter().cloned().collect();
        let mut written_off = 0;
        for nodes in silent.chunks(PAGE) {
            let command = Command::WriteOffNodes(WriteOffNodes {
                nodes: nodes.to_vec(),
            });
            let Response::NodesWrittenOff { nodes } = self.propose(command, None, deadline).await?.value
            else {
                return Err(wrong_answer("write_off_nodes"));
            };
            written_off += nodes;
        }
        if written_off > 0 {
            tracing::warn!(
                nodes = written_off,
                "An operator lifted the brake: silent nodes are not waited for, and their chunks are copied elsewhere"
            );
        }
        Ok(written_off)
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::repair::Brake;
    use zephyrfs_core::units::Timestamp;

    use super::BrakeReleased;

    #[test]
    fn repair_that_is_stopped_all_the_same_is_not_said_to_go_on() {
        let brake = Brake {
            since: Timestamp::EPOCH,
            silent: ["a", "b"].map(NodeId::from).into(),
            of: 3,
            domains: Vec::new(),
        };
        let released = BrakeReleased {
            nodes: 4,
            late: 0,
            brake: Some(brake),
        };
        assert_eq!(
            released.to_string(),
            "Repair is still stopped: 2 of 3 nodes fell silent together; 4 others are not waited for"
        );
    }
}
