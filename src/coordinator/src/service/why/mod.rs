//! Why a chunk, a node or a task is as it is: one answer that joins its state, what keeps it there, and what happened to it
//! lately.
//!
//! Nothing is decided here. What is said comes from the planners of the core, so it is what repair itself goes by, as of
//! now; limits on running work and nodes that back off are the leader's own, and are told as "it waits its turn".

mod chunk;
mod node;
mod task;
mod words;

use zephyrfs_core::engine::At;
use zephyrfs_core::units::AppliedIndex;

pub use chunk::{ChunkFacts, WhyReplica};
pub use node::{NodeFacts, TaskCount};

use super::error::{InvalidField, ServiceError};
use super::request::RequestContext;
use super::state::Service;
use super::tasks::TaskDetails;
use super::validate::quoted;
use super::watch::ChangeDetails;

/// So many tasks are named at most.
const MAX_TASKS: usize = 100;

/// Why something is as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// All of it in one sentence.
    pub summary: String,
    /// `chunk`, `node` or `task`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What keeps it from being as it should be, and what is being waited for.
    pub obstacles: Vec<String>,
    /// Of a chunk, and of a task's chunk.
    pub chunk: Option<ChunkFacts>,
    /// Of a node, and of a task's node.
    pub node: Option<NodeFacts>,
    /// Its tasks, or the task itself.
    pub tasks: Vec<TaskDetails>,
    /// What happened to it lately, the oldest first.
    pub events: Vec<ChangeDetails>,
    /// Events are known from after this index on.
    pub events_after: AppliedIndex,
}

impl Service {
    /// Why a `chunk`, a `node` or a `task` is as it is.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` or `NoSuchTask` if it is not known, and `Invalid` if it is of another kind.
    pub async fn why(
        &self,
        kind: &str,
        id: String,
        context: RequestContext,
    ) -> Result<At<Why>, ServiceError> {
        match kind {
            "chunk" => self.why_chunk(id, &context).await,
            "node" => self.why_node(id, context).await,
            "task" => self.why_task(id, &context).await,
            other => Err(ServiceError::Invalid(InvalidField::new(
                "kind",
                format!("must be chunk, node or task, got {:?}", quoted(other)),
            ))),
        }
    }
}
