//! The one door to the coordinator: a call over one of the shared connections, with a deadline, recorded, and
//! retried where that is safe.
//!
//! `Coordinator::call` is one attempt; the scheduler repeats it on its own timetable. `Coordinator::write`
//! repeats it until it is settled, under one idempotency key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;

use crate::client::attempt::Attempt;
use crate::client::connections::Connections;
use crate::client::error::{CallError, WriteError};
use crate::client::rpc::Rpc;
use crate::measure::recorder::Recorder;

pub mod attempt;
pub mod beat_stream;
pub mod connections;
pub mod endpoint;
pub mod error;
pub mod rpc;

/// Makes a write take effect once, however often it is sent: 32 hex digits, new for each write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(AsciiMetadataValue);

impl IdempotencyKey {
    /// A key that nobody has used. Never from the run's seed: a second run with that seed would repeat it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "hex digits are always a valid header value")]
    pub fn random() -> Self {
        let digits = format!("{:032x}", rand::random::<u128>());
        IdempotencyKey(AsciiMetadataValue::try_from(digits).expect("hex digits"))
    }
}

/// A coordinator, behind one or more endpoints.
#[derive(Debug)]
pub struct Coordinator {
    connections: Connections,
    timeout: Duration,
    recorder: Arc<Recorder>,
}

impl Coordinator {
    /// A coordinator at the other end of these connections; every call has `timeout` as its deadline.
    #[must_use]
    pub fn new(connections: Connections, timeout: Duration, recorder: Arc<Recorder>) -> Self {
        Coordinator {
            connections,
            timeout,
            recorder,
        }
    }

    /// The first attempt of a call, on the connection whose turn it is.
    #[must_use]
    pub fn first_attempt(&self) -> Attempt {
        self.connections.first_attempt()
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// When there is no answer in time, the answer is an error, or a refusal (`success = false`).
    pub async fn call<R: Rpc>(
        &self,
        request: R,
        attempt: Attempt,
        key: Option<&IdempotencyKey>,
    ) -> Result<R::Reply, CallError> {
        let (endpoint, client) = self.connections.client(attempt);
        let mut request = Request::new(request);
        request.set_timeout(self.timeout);
        if let Some(key) = key {
            request.metadata_mut().insert("idempotency-key", key.0.clone());
        }
        let begin = Instant::now();
        let result = match R::send(client, request).await {
            Ok(reply) => {
                self.recorder.answered(R::OPERATION, begin.elapsed());
                let reply = reply.into_inner();
                match R::refusal(&reply) {
                    None => Ok(reply),
                    Some(message) => Err(CallError::refused(R::OPERATION, message)),
                }
            }
            Err(status) => Err(CallError::failed(R::OPERATION, endpoint, &status)),
        };
        if let Err(error) = &result {
            self.recorder
                .failed(R::OPERATION, error.kind(), &error.to_string());
        }
        result
    }

    /// Sends a write until it is settled: done, definitely failed, or given up after `patience` or because of
    /// `stop`. Every attempt carries the same key and goes to the next endpoint.
    ///
    /// # Errors
    /// When the write was not done, or its outcome is unknown.
    pub async fn write<R: Rpc + Clone>(
        &self,
        request: R,
        key: Option<&IdempotencyKey>,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<R::Reply, WriteError> {
        let begin = Instant::now();
        let mut attempt = self.first_attempt();
        loop {
            let error = match self.call(request.clone(), attempt, key).await {
                Ok(reply) => return Ok(reply),
                Err(error) if !error.is_retryable() => return Err(WriteError::Definite(error)),
                Err(error) => error,
            };
            let pause = attempt.pause();
            if begin.elapsed() + pause > patience {
                return Err(WriteError::GivenUp(error));
            }
            tokio::select! {
                () = stop.cancelled() => return Err(WriteError::Stopped(error)),
                () = tokio::time::sleep(pause) => {}
            }
            attempt = attempt.next();
        }
    }

    /// Records a reply that the contract does not allow.
    pub fn record(&self, error: &CallError) {
        self.recorder
            .failed(error.operation(), error.kind(), &error.to_string());
    }
}
