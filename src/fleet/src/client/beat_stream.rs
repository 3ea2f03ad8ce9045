//! A stream of heartbeats: windows go out, and each is acknowledged, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::unfold;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};
use zephyrfs_proto::coordinator::heartbeat_result::Outcome;
use zephyrfs_proto::coordinator::{
    HeartbeatResult, HeartbeatWindow, HeartbeatWindowAck, NodeHeartbeatRequest,
};

use crate::client::Coordinator;
use crate::client::attempt::Attempt;
use crate::client::endpoint::EndpointUri;
use crate::client::error::CallError;
use crate::measure::recorder::Recorder;
use crate::operation::Operation;

/// The most beats in a window: the contract's limit.
pub const WINDOW_LIMIT: usize = 1_000;

/// Windows that may be sent before the first of them is acknowledged. The coordinator works on as many at a time.
const UNACKNOWLEDGED_LIMIT: usize = 4;

/// What became of the beats of a window after which there is something to do, by their position.
pub type Results = Vec<(usize, Result<Vec<String>, CallError>)>;

/// An open stream.
#[derive(Debug)]
pub struct BeatStream {
    windows: mpsc::Sender<HeartbeatWindow>,
    acks: Streaming<HeartbeatWindowAck>,
    endpoint: EndpointUri,
    timeout: Duration,
    recorder: Arc<Recorder>,
    /// When each window that is not acknowledged was sent.
    unacknowledged: VecDeque<Instant>,
    sequence: u64,
}

impl Coordinator {
    /// Opens a stream on the connection that the attempt stands for.
    ///
    /// # Errors
    /// When the coordinator does not take it.
    pub async fn open_beat_stream(&self, attempt: Attempt) -> Result<BeatStream, CallError> {
        let (endpoint, mut client) = self.connections.client(attempt);
        let (windows, to_send) = mpsc::channel(UNACKNOWLEDGED_LIMIT);
        let outgoing = unfold(to_send, |mut to_send| async move {
            to_send.recv().await.map(|window| (window, to_send))
        });
        let opened = tokio::time::timeout(self.timeout, client.heartbeat_stream(outgoing)).await;
        let opened =
            opened.unwrap_or_else(|_| Err(Status::deadline_exceeded("the stream was not opened in time")));
        let acks = opened.map_err(|status| self.stream_failed(endpoint, &status))?;
        Ok(BeatStream {
            windows,
            acks: acks.into_inner(),
            endpoint: endpoint.clone(),
            timeout: self.timeout,
            recorder: Arc::clone(&self.recorder),
            unacknowledged: VecDeque::new(),
            sequence: 0,
        })
    }

    fn stream_failed(&self, endpoint: &EndpointUri, status: &Status) -> CallError {
        let error = CallError::failed(Operation::HeartbeatStream, endpoint, status);
        self.record(&error);
        error
    }
}

impl BeatStream {
    /// Whether a further window would have to wait for an acknowledgement.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.unacknowledged.len() >= UNACKNOWLEDGED_LIMIT
    }

    /// Sends a window, of [`WINDOW_LIMIT`] beats at most.
    ///
    /// # Errors
    /// When the stream is full or broken.
    pub fn send(&mut self, beats: Vec<NodeHeartbeatRequest>) -> Result<(), CallError> {
        self.sequence += 1;
        let window = HeartbeatWindow {
            sequence: self.sequence,
            beats,
        };
        if self.is_full() || self.windows.try_send(window).is_err() {
            return Err(self.fail(&Status::unavailable("the stream does not take a window")));
        }
        self.unacknowledged.push_back(Instant::now());
        Ok(())
    }

    /// Waits for the acknowledgement of the oldest window. Nothing is lost when this is dropped.
    ///
    /// # Errors
    /// When the stream is broken, has ended, or the acknowledgement is not there in time.
    pub async fn acknowledged(&mut self) -> Result<Results, CallError> {
        let since = self.unacknowledged.front().copied();
        let message = tokio::select! {
            message = self.acks.message() => message,
            () = over(since, self.timeout) => Err(Status::deadline_exceeded("a window was not acknowledged in time")),
        };
        let ack = match message {
            Ok(Some(ack)) => ack,
            Ok(None) => return Err(self.fail(&Status::unavailable("the stream has ended"))),
            Err(status) => return Err(self.fail(&status)),
        };
        let oldest = self.sequence + 1 - self.unacknowledged.len() as u64;
        match self.unacknowledged.pop_front() {
            Some(sent) if ack.sequence == oldest => {
                self.recorder.answered(Operation::HeartbeatStream, sent.elapsed());
                Ok(ack
                    .results
                    .into_iter()
                    .map(|result| self.result(result))
                    .collect())
            }
            Some(_) | None => {
                let message = format!("window {} was acknowledged instead of {oldest}", ack.sequence);
                let error = CallError::BadReply {
                    operation: Operation::HeartbeatStream,
                    message,
                };
                self.note(&error);
                Err(error)
            }
        }
    }

    fn result(&self, result: HeartbeatResult) -> (usize, Result<Vec<String>, CallError>) {
        let outcome = match result.outcome() {
            Outcome::Tasks => Ok(result.tasks),
            Outcome::Register => {
                let error = CallError::refused(Operation::HeartbeatStream, &result.message);
                self.note(&error);
                Err(error)
            }
            Outcome::Again => Err(self.fail(&Status::new(Code::Unavailable, result.message))),
            Outcome::Malformed | Outcome::Unspecified => {
                Err(self.fail(&Status::new(Code::InvalidArgument, result.message)))
            }
        };
        (result.position as usize, outcome)
    }

    fn fail(&self, status: &Status) -> CallError {
        let error = CallError::failed(Operation::HeartbeatStream, &self.endpoint, status);
        self.note(&error);
        error
    }

    fn note(&self, error: &CallError) {
        self.recorder
            .failed(error.operation(), error.kind(), &error.to_string());
    }
}

/// Waits until what began then has taken too long; for ever if nothing did.
async fn over(since: Option<Instant>, timeout: Duration) {
    match since {
        Some(since) => tokio::time::sleep_until((since + timeout).into()).await,
        None => std::future::pending().await,
    }
}
