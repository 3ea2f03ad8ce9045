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

/// Why an endpoint gives no stream.
enum Refusal {
    /// It says nothing of use: why, in words.
    Nothing(String),
    /// It has forgotten what is asked for; another may go back further.
    Forgotten(CliError),
    /// Others would say the same.
    Final(CliError),
}

impl Client {
    /// Opens a stream at the first endpoint that gives one; each is asked once.
    ///
    /// # Errors
    /// `NotFound`, `Refused` and `Unintelligible` as the answer says; `Unavailable` when no endpoint gave one.
    pub(crate) async fn open(&mut self, request: &Request<'_>) -> Result<Stream, CliError> {
        let mut reasons = Vec::new();
        let mut forgotten = None;
        let endpoints = self.endpoints.as_slice();
        for step in 0..endpoints.len() {
            let position = (self.first + step) % endpoints.len();
            let endpoint = &endpoints[position];
            match self.open_at(endpoint, request).await {
                Ok(stream) => {
                    self.first = position;
                    return Ok(stream);
                }
                Err(Refusal::Nothing(reason)) => reasons.push(describe(endpoint, &reason)),
                Err(Refusal::Forgotten(error)) => forgotten = forgotten.or(Some(error)),
                Err(Refusal::Final(error)) => {
                    self.first = position;
                    return Err(error);
                }
            }
        }
        Err(forgotten.unwrap_or_else(|| CliError::Unavailable {
            attempts: reasons.join(", "),
        }))
    }

    /// The next request goes to another endpoint first.
    pub(crate) fn turn_to_the_next(&mut self) {
        self.first = (self.first + 1) % self.endpoints.as_slice().len();
    }

    async fn open_at(&self, endpoint: &Endpoint, request: &Request<'_>) -> Result<Stream, Refusal> {
        let url = endpoint.resource(&request.path, &request.query);
        let opened = open(&self.http, url, self.timeout).await;
        let (status, body) = match opened.map_err(Refusal::Nothing)? {
            Opened::Stream(response) => {
                return Ok(Stream {
                    url: endpoint.to_string(),
                    response,
                });
            }
            Opened::Answered { status, body } => (status, body),
        };
        if nothing_learned(status).is_some() {
            return Err(Refusal::Nothing(answer::explain(status, &body)));
        }
        Err(match Answer::new(endpoint.to_string(), status, &body) {
            Ok(answer) => Refusal::Final(CliError::Unintelligible {
                url: answer.url().to_owned(),
                problem: format!("HTTP {} is no stream of events", StatusCode::as_u16(&status)),
            }),
            Err(error) if status == StatusCode::GONE => Refusal::Forgotten(error),
            Err(error) => Refusal::Final(error),
        })
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
