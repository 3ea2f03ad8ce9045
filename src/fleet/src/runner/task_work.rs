//! How nodes work on the tasks they are handed: what to take on, what to copy, what to confirm.
//!
//! Called by the scheduler, which keeps the times and makes the calls. A task goes through steps: copied (or
//! dropped), then confirmed, again and again until the coordinator has answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use zephyrfs_proto::coordinator::UpdateChunkLocationsRequest;

use crate::chunk_id::ChunkId;
use crate::client::attempt::Attempt;
use crate::client::error::CallError;
use crate::client::{Coordinator, IdempotencyKey};
use crate::fleet::Fleet;
use crate::layout::NodeIndex;
use crate::losses::Losses;
use crate::measure::counters::Counters;
use crate::node::{CopyRate, Receipt};
use crate::operation::Operation;
use crate::tasks::{self, Action, Task, TaskId};

/// The work on tasks, for all nodes.
#[derive(Debug)]
pub struct TaskWork {
    fleet: Arc<Fleet>,
    coordinator: Arc<Coordinator>,
    counters: Arc<Counters>,
    losses: Arc<Losses>,
    rate: CopyRate,
}

/// What is to be done next for a task.
#[derive(Debug)]
pub enum Step {
    /// The copy is complete: store it and confirm.
    Store(TaskId, ChunkId, ByteSize),
    /// Tell the coordinator.
    Confirm(Confirmation),
}

/// What a node tells the coordinator of a finished task.
#[derive(Debug)]
pub struct Confirmation {
    task: TaskId,
    chunk: ChunkId,
    change: Change,
    /// Stays the same over all attempts.
    pub key: IdempotencyKey,
    /// Which attempt this is.
    pub attempt: Attempt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

/// What follows from the answer to a confirmation.
#[derive(Debug)]
pub enum Settled {
    /// The task is over.
    Over,
    /// There was no answer: try again.
    Again {
        /// After so long.
        pause: Duration,
        /// The same confirmation, for the next endpoint.
        step: Step,
    },
}

impl Confirmation {
    /// The request, in the name of `node_id`.
    #[must_use]
    pub fn request(&self, node_id: &str) -> UpdateChunkLocationsRequest {
        let operation = match self.change {
            Change::Add => "add",
            Change::Remove => "remove",
        };
        UpdateChunkLocationsRequest {
            chunk_id: self.chunk.to_string(),
            node_ids: vec![node_id.to_owned()],
            operation: operation.to_owned(),
        }
    }
}

impl TaskWork {
    /// Work at that rate.
    #[must_use]
    pub fn new(
        fleet: Arc<Fleet>,
        coordinator: Arc<Coordinator>,
        counters: Arc<Counters>,
        losses: Arc<Losses>,
        rate: CopyRate,
    ) -> Self {
        TaskWork {
            fleet,
            coordinator,
            counters,
            losses,
            rate,
        }
    }

    /// Takes on the tasks of a heartbeat reply; the answer is what to do for them, and when.
    #[must_use]
    pub fn accept(&self, node: NodeIndex, texts: &[String], now: Instant) -> Vec<(Instant, Step)> {
        let mut steps = Vec::new();
        for text in texts {
            match tasks::parse(text) {
                Ok(task) => steps.extend(self.begin(node, task, now)),
                Err(error) => {
                    self.counters.tasks_unreadable.count();
                    let operation = Operation::NodeHeartbeat;
                    self.coordinator.record(&CallError::BadReply {
                        operation,
                        message: error.to_string(),
                    });
                }
            }
        }
        steps
    }

    fn begin(&self, node: NodeIndex, task: Task, now: Instant) -> Option<(Instant, Step)> {
        let Task { id, chunk, action } = task;
        if !self.fleet.with(node, |node| node.take_on(&id)) {
            return None;
        }
        match action {
            Action::Delete => {
                self.fleet.with(node, |node| node.discard(&chunk));
                Some((now, Step::Confirm(self.confirm(id, chunk, Change::Remove))))
            }
            Action::Replicate { .. } if self.fleet.with(node, |node| node.holds(&chunk)) => {
                Some((now, Step::Confirm(self.confirm(id, chunk, Change::Add))))
            }
            Action::Replicate { size, sources } => {
                self.fleet.with(node, |node| node.await_chunk(&chunk));
                if !self.fleet.has_usable_source(node, &chunk, &sources) {
                    if self.fleet.with(node, |node| node.refuse(&id)) {
                        self.counters.tasks_without_source.count();
                    }
                    return None;
                }
                let done = self
                    .fleet
                    .with(node, |node| node.queue_copy(size, self.rate, now));
                Some((done, Step::Store(id, chunk, size)))
            }
        }
    }

    fn confirm(&self, task: TaskId, chunk: ChunkId, change: Change) -> Confirmation {
        let attempt = self.coordinator.first_attempt();
        Confirmation {
            task,
            chunk,
            change,
            key: IdempotencyKey::random(),
            attempt,
        }
    }

    /// Does a step that is due. The answer is what to tell the coordinator, if the step succeeds.
    #[must_use]
    pub fn confirmation(&self, node: NodeIndex, step: Step) -> Option<Confirmation> {
        match step {
            Step::Confirm(confirmation) => Some(confirmation),
            Step::Store(task, chunk, size) => {
                match self.fleet.with(node, |node| node.receive(&chunk, size)) {
                    Receipt::Stored => Some(self.confirm(task, chunk, Change::Add)),
                    Receipt::NoRoom => {
                        if self.fleet.with(node, |node| node.refuse(&task)) {
                            self.counters.tasks_without_room.count();
                        }
                        None
                    }
                    Receipt::Silent => None,
                }
            }
        }
    }

    /// Takes the answer to a confirmation in.
    #[must_use]
    pub fn settle(
        &self,
        node: NodeIndex,
        confirmation: Confirmation,
        result: Result<(), CallError>,
    ) -> Settled {
        match result {
            Ok(()) => match confirmation.change {
                Change::Add => {
                    self.counters.tasks_replicated.count();
                    self.losses.copied(&confirmation.chunk, Instant::now());
                }
                Change::Remove => self.counters.tasks_deleted.count(),
            },
            Err(error) if error.is_retryable() => {
                let pause = confirmation.attempt.pause();
                let attempt = confirmation.attempt.next();
                return Settled::Again {
                    pause,
                    step: Step::Confirm(Confirmation {
                        attempt,
                        ..confirmation
                    }),
                };
            }
            // The chunk was released while the node was at it. A copy stays until a task says otherwise.
            Err(CallError::Refused { .. }) => self.counters.tasks_overtaken.count(),
            Err(_) => self.counters.definite_failures.count(),
        }
        self.fleet.with(node, |node| node.finish(&confirmation.task));
        Settled::Over
    }
}
