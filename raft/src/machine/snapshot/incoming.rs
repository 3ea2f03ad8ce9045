//! The receiving end of one connection that brings a snapshot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};

use super::error::ReceiveError;
use super::intake::{Step, Task};
use super::part::Position;
use super::view::SnapshotView;

/// One attempt at sending a snapshot. When it ends early, what was received stays for the next attempt at the same one.
pub(crate) struct Incoming {
    line: Line,
    attempt: u64,
    position: Option<Position>,
}

impl Incoming {
    /// Begins an attempt: earlier ones have no say from now on.
    pub(super) async fn resume(line: Line) -> Result<Self, ReceiveError> {
        let attempt = line.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        let mut incoming = Self {
            line,
            attempt,
            position: None,
        };
        incoming.position = incoming.ask(Task::Resume).await?;
        Ok(incoming)
    }

    /// Where this attempt begins: after this place, or at the start.
    pub(crate) const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Takes the next [`Part::Rows`](super::Part::Rows). Waits while the disk is behind. What is wrong with a part may be
    /// told only later, by the next one or at the end.
    ///
    /// # Errors
    /// [`ReceiveError`]: there is no use in sending more.
    pub(crate) async fn take(&mut self, part: Vec<u8>) -> Result<(), ReceiveError> {
        self.send(Task::Rows(part)).await
    }

    /// Ends the snapshot with its [`Part::End`](super::Part::End): when this returns, the snapshot is checked, durable, and
    /// can be installed. Nothing else is received until it is installed or dropped.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub(crate) async fn finish(mut self, end: Vec<u8>) -> Result<SnapshotView, ReceiveError> {
        let snapshot = self.ask(|tell| Task::Finish(end, tell)).await?;
        Ok(*snapshot)
    }

    async fn ask<T>(&mut self, task: impl FnOnce(oneshot::Sender<T>) -> Task) -> Result<T, ReceiveError> {
        let (tell, told) = oneshot::channel();
        self.send(task(tell)).await?;
        told.await.map_err(|_| self.reason())
    }

    async fn send(&mut self, task: Task) -> Result<(), ReceiveError> {
        if self.is_superseded() {
            return Err(ReceiveError::Superseded);
        }
        let step = Step {
            attempt: self.attempt,
            task,
        };
        self.line.steps.send(step).await.map_err(|_| self.reason())
    }

    fn is_superseded(&self) -> bool {
        self.line.attempts.load(Ordering::Acquire) != self.attempt
    }

    /// Why there is no answer.
    fn reason(&self) -> ReceiveError {
        match self.line.failure.get() {
            Some(reason) => ReceiveError::Discarded(reason.clone()),
            None if self.is_superseded() => ReceiveError::Superseded,
            None => ReceiveError::Discarded("its writer ended".to_owned()),
        }
    }
}

/// The way to the worker that writes a snapshot, whichever connection brings it.
#[derive(Clone)]
pub(super) struct Line {
    steps: mpsc::Sender<Step>,
    attempts: Arc<AtomicU64>,
    failure: Arc<OnceLock<String>>,
}

impl Line {
    pub(super) fn new(steps: mpsc::Sender<Step>) -> Self {
        Self {
            steps,
            attempts: Arc::default(),
            failure: Arc::default(),
        }
    }

    /// Where the worker says why it ended.
    pub(super) fn failure(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.failure)
    }

    /// Whether the worker ended.
    pub(super) fn is_broken(&self) -> bool {
        self.steps.is_closed()
    }
}
