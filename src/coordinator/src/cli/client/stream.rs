//! An answer that goes on and on, read part by part.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::attempt::{Opened, open};
use super::endpoint::Endpoint;
use super::request::Request;
use super::{Client, describe, nothing_learned};
use crate::cli::exit::CliError;

/// The coordinator says something at least every ten seconds: one that is silent for longer than this is gone.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// An answer that goes on.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Who gives it.
    pub(crate) url: String,
    response: reqwest::Response,
}

impl Client {
    /// Opens a stream at the first endpoint that answers; each is asked once.
    ///
    /// # Errors
    /// `NotFound`, `Refused` and `Unintelligible` as the answer says; `Unavailable` when no endpoint gave one.
    pub(crate) async fn open(&mut self, request: &Request<'_>) -> Result<Stream, CliError> {
        let mut reasons = Vec::new();
        let endpoints = self.endpoints.as_slice();
        for step in 0..endpoints.len() {
            let position = (self.first + step) % endpoints.len();
            let endpoint = &endpoints[position];
            match self.open_at(endpoint, request).await {
                Ok(stream) => {
                    self.first = position;
                    return stream;
                }
                Err(reason) => reasons.push(describe(endpoint, &reason)),
            }
        }
        Err(CliError::Unavailable {
            attempts: reasons.join(", "),
        })
    }

    /// The next request goes to another endpoint first.
    pub(crate) fn turn_to_the_next(&mut self) {
        self.first = (self.first + 1) % self.endpoints.as_slice().len();
    }

    /// The stream of an endpoint, or what it says instead; why it says nothing of use otherwise.
    async fn open_at(
        &self,
        endpoint: &Endpoint,
        request: &Request<'_>,
    ) -> Result<Result<Stream, CliError>, String> {
        let url = endpoint.resource(&request.path, &request.query);
        let (status, body) = match open(&self.http, url, self.timeout).await? {
            Opened::Stream(response) => {
                return Ok(Ok(Stream {
                    url: endpoint.to_string(),
                    response,
                }));
            }
            Opened::Answered { status, body } => (status, body),
        };
        if nothing_learned(status).is_some() {
            return Err(answer::explain(status, &body));
        }
        Ok(Err(match Answer::new(endpoint.to_string(), status, &body) {
            Ok(answer) => CliError::Unintelligible {
                url: answer.url().to_owned(),
                problem: format!("HTTP {} is no stream of events", StatusCode::as_u16(&status)),
            },
            Err(error) => error,
        }))
    }
}

impl Stream {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// Why nothing more comes, in words.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        match timeout(LONGEST_SILENCE, self.response.chunk()).await {
            Ok(Ok(part)) => Ok(part.map(|part| part.to_vec())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it was silent for {} s", LONGEST_SILENCE.as_secs())),
        }
    }
}
