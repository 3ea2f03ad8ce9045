//! Beats whose senders wait for them to be recorded: those of nodes that count as inactive, and are active
//! again only then.
//!
//! They are queued rather than proposed one by one, because after an outage all nodes come back at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use tokio::sync::{Notify, oneshot};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::AppliedIndex;

use super::received::ReceivedBeat;
use crate::service::error::ServiceError;

/// The answer to one beat.
pub(super) type Answer = Result<AppliedIndex, ServiceError>;

/// A beat and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) node: NodeId,
    pub(super) beat: ReceivedBeat,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// A bounded queue of beats with waiting senders.
#[derive(Debug)]
pub(in crate::service) struct Urgent {
    queue: Mutex<Queue>,
    arrived: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    is_closed: bool,
}

impl Urgent {
    /// Room for so many.
    pub(in crate::service) fn new(capacity: usize) -> Self {
        Self {
            queue: Mutex::new(Queue::default()),
            arrived: Notify::new(),
            capacity,
        }
    }

    /// Queues a beat and waits until it is recorded, or refused.
    pub(in crate::service) async fn record(&self, node: NodeId, beat: ReceivedBeat) -> Answer {
        let answered = self.enqueue(node, beat);
        self.arrived.notify_one();
        answered.await
    }

    /// Queues many beats together, and waits for all of them; the answers are in their order.
    pub(in crate::service) async fn record_all(&self, beats: Vec<(NodeId, ReceivedBeat)>) -> Vec<Answer> {
        let answered: Vec<_> = beats
            .into_iter()
            .map(|(node, beat)| self.enqueue(node, beat))
            .collect();
        self.arrived.notify_one();
        join_all(answered).await
    }

    /// Queues a beat. What is returned waits for the answer.
    fn enqueue(&self, node: NodeId, beat: ReceivedBeat) -> impl Future<Output = Answer> + use<> {
        let (answer, answered) = oneshot::channel();
        let queued = self.push(Waiting { node, beat, answer });
        async move {
            queued?;
            answered.await.unwrap_or_else(|_| Err(stopping()))
        }
    }

    fn push(&self, waiting: Waiting) -> Result<(), ServiceError> {
        let mut queue = self.queue();
        if queue.is_closed {
            return Err(stopping());
        }
        if queue.waiting.len() >= self.capacity {
            return Err(ServiceError::Overloaded {
                reason: "too many heartbeats of inactive nodes are waiting; try again in a moment".to_owned(),
            });
        }
        queue.waiting.push(waiting);
        Ok(())
    }

    /// Waits for a beat to be queued.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes all that wait.
    pub(super) fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut self.queue().waiting)
    }

    /// Refuses beats from now on: nobody would record them.
    pub(super) fn close(&self) {
        self.queue().is_closed = true;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopping() -> ServiceError {
    ServiceError::Unavailable {
        reason: "this replica is stopping; send the heartbeat to another one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use zephyrfs_core::id::NodeId;
    use zephyrfs_core::row::NodeStats;
    use zephyrfs_core::units::AppliedIndex;

    use super::{ReceivedBeat, Urgent};
    use crate::service::error::ServiceError;

    fn beat() -> ReceivedBeat {
        ReceivedBeat {
            received: Instant::now(),
            stats: NodeStats::default(),
        }
    }

    #[tokio::test]
    async fn a_sender_waits_for_its_answer() {
        let urgent = Urgent::new(1);
        let recorded = async {
            urgent.arrived().await;
            for waiting in urgent.take() {
                assert_eq!(waiting.node, NodeId::from("a"));
                waiting.answer.send(Ok(AppliedIndex::new(5))).unwrap();
            }
        };
        let (answer, ()) = tokio::join!(urgent.record(NodeId::from("a"), beat()), recorded);
        assert_eq!(answer, Ok(AppliedIndex::new(5)));
    }

    #[tokio::test]
    async fn many_beats_are_queued_together_and_answered_each_for_itself() {
        let urgent = Urgent::new(2);
        let beats = ["a", "b", "c"].map(|id| (NodeId::from(id), beat()));
        let recorded = async {
            urgent.arrived().await;
            let waiting = urgent.take();
            assert_eq!(waiting.len(), 2, "all that there is room for, at once");
            for (waiting, index) in waiting.into_iter().zip(5..) {
                waiting.answer.send(Ok(AppliedIndex::new(index))).unwrap();
            }
        };
        let (answers, ()) = tokio::join!(urgent.record_all(beats.to_vec()), recorded);
        assert_eq!(answers[..2], [Ok(AppliedIndex::new(5)), Ok(AppliedIndex::new(6))]);
        assert!(
            matches!(answers[2], Err(ServiceError::Overloaded { .. })),
            "{answers:?}"
        );
    }

    #[tokio::test]
    async fn a_full_or_closed_queue_refuses_at_once() {
        let full = Urgent::new(0);
        let answer = full.record(NodeId::from("a"), beat()).await;
        assert!(
            matches!(answer, Err(ServiceError::Overloaded { .. })),
            "{answer:?}"
        );

        let closed = Urgent::new(1);
        closed.close();
        let answer = closed.record(NodeId::from("a"), beat()).await;
        assert!(
            matches!(answer, Err(ServiceError::Unavailable { .. })),
            "{answer:?}"
        );
    }
}
