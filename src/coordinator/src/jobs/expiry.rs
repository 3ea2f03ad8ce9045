//! Notices nodes that fell silent, and maintenance whose time is over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zephyrfs_core::command::{ExpireNodes, PAGE};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, Engine, Proposal, Response};

use super::runner::{Job, JobError};
use crate::service::{IdSource, PATIENCE};

/// Nodes are looked at so often for each `node_inactive_after`, and at least once a second.
const LOOKS: u32 = 10;

/// Marks silent nodes inactive.
pub struct Expiry {
    engine: Arc<dyn Engine>,
    ids: IdSource,
    inactive_after: Duration,
}

impl Expiry {
    /// Nodes that were silent for `inactive_after` are inactive.
    pub fn new(engine: Arc<dyn Engine>, ids: IdSource, inactive_after: Duration) -> Self {
        Self {
            engine,
            ids,
            inactive_after,
        }
    }
}

#[async_trait]
impl Job for Expiry {
    fn name(&self) -> &'static str {
        "node expiry"
    }

    fn interval(&self) -> Duration {
        (self.inactive_after / LOOKS).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    async fn run(&mut self, led_for: Duration) -> Result<(), JobError> {
        let now = self.engine.now();
        // A new leader may not have heard what the one before it heard, so it gives every node the full time.
        let silent_since = if led_for >= self.inactive_after {
            now.minus(self.inactive_after.into())
        } else {
            Timestamp::EPOCH
        };
        let due = self.engine.due_nodes(silent_since, now).await?;
        for page in due.chunks(PAGE) {
            let command = Command::ExpireNodes(ExpireNodes {
                nodes: page.to_vec(),
                silent_since,
            });
            let proposal = Proposal {
                id: self.ids.request(),
                idempotency: None,
                command,
            };
            if let Response::NodesExpired {
                inactive,
                back_in_service,
            } = self.engine.execute(proposal, PATIENCE).await?.value
            {
                tell(&inactive, &back_in_service, self.inactive_after);
            }
        }
        Ok(())
    }
}

fn tell(inactive: &[NodeId], back_in_service: &[NodeId], after: Duration) {
    let silent_for = humantime::format_duration(after).to_string();
    for node in inactive {
        tracing::warn!(node_id = %node, silent_for, "Node inactive");
    }
    for node in back_in_service {
        tracing::info!(node_id = %node, "Maintenance over");
    }
}
