//! The calls of nodes that are under way: each a short-lived task, bounded in number, whose answer comes back
//! with the node and the life that it belongs to.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use zephyrfs_proto::coordinator::{NodeHeartbeatRequest, NodeHeartbeatResponse, RegisterNodeResponse};

use crate::client::attempt::Attempt;
use crate::client::error::CallError;
use crate::client::{Coordinator, IdempotencyKey};
use crate::layout::{NodeIndex, NodeProfile};
use crate::node::Life;
use crate::runner::task_work::Confirmation;

/// Calls that run at the same time at most.
const LIMIT: usize = 256;

/// Calls under way.
#[derive(Debug)]
pub struct Calls {
    coordinator: Arc<Coordinator>,
    running: JoinSet<Answer>,
}

/// For whom a call is made.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Which node.
    pub node: NodeIndex,
    /// In which of its lives.
    pub life: Life,
}

/// An answer, and whose it is.
#[derive(Debug)]
pub struct Answer {
    /// For whom the call was made.
    pub caller: Caller,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call, with what is needed to make it again.
#[derive(Debug)]
pub enum Outcome {
    /// Of a registration.
    Registered(Attempt, IdempotencyKey, Result<RegisterNodeResponse, CallError>),
    /// Of a heartbeat.
    Beat(Attempt, Result<NodeHeartbeatResponse, CallError>),
    /// Of the confirmation of a task.
    Confirmed(Confirmation, Result<(), CallError>),
}

impl Calls {
    /// None yet.
    #[must_use]
    pub fn new(coordinator: Arc<Coordinator>) -> Self {
        Calls {
            coordinator,
            running: JoinSet::new(),
        }
    }

    /// Whether no further call may be made now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.running.len() >= LIMIT
    }

    /// The next answer; `None` when no call is under way. Nothing is lost when this is dropped.
    ///
    /// # Errors
    /// When a call panicked.
    pub async fn next(&mut self) -> Option<Result<Answer, JoinError>> {
        self.running.join_next().await
    }

    /// Registers the node.
    pub fn register(&mut self, caller: Caller, profile: &NodeProfile, attempt: Attempt, key: IdempotencyKey) {
        let coordinator = Arc::clone(&self.coordinator);
        let request = profile.registration();
        self.running.spawn(async move {
            let result = coordinator.call(request, attempt, Some(&key)).await;
            Answer {
                caller,
                outcome: Outcome::Registered(attempt, key, result),
            }
        });
    }

    /// Sends the node's heartbeat.
    pub fn beat(&mut self, caller: Caller, request: NodeHeartbeatRequest, attempt: Attempt) {
        let coordinator = Arc::clone(&self.coordinator);
        self.running.spawn(async move {
            let result = coordinator.call(request, attempt, None).await;
            Answer {
                caller,
                outcome: Outcome::Beat(attempt, result),
            }
        });
    }

    /// Confirms a task.
    pub fn confirm(&mut self, caller: Caller, node_id: &str, confirmation: Confirmation) {
        let coordinator = Arc::clone(&self.coordinator);
        let request = confirmation.request(node_id);
        self.running.spawn(async move {
            let result = coordinator
                .call(request, confirmation.attempt, Some(&confirmation.key))
                .await;
            Answer {
                caller,
                outcome: Outcome::Confirmed(confirmation, result.map(|_| ())),
            }
        });
    }
}
