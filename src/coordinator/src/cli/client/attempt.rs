//! One attempt to send a request to one endpoint: what came back or, where nothing did, whether the request can
//! have arrived.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Client, StatusCode, Url};

use super::request::{Repetition, Request};

/// Tells the coordinator how long it has: it answers before this side gives up, and so says whether a write happened.
const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Holds the map of a file with a million chunks; guards against an endpoint that never stops.
const MAX_ANSWER: usize = 512 << 20;

/// What came of one attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    /// An answer, whatever its status.
    Answered {
        /// The HTTP status.
        status: StatusCode,
        /// The body.
        body: Vec<u8>,
    },
    /// The request cannot have arrived.
    NotSent(String),
    /// The request may have arrived, but no answer came.
    Unanswered(String),
}

/// What came of opening a stream.
#[derive(Debug)]
pub(super) enum Opened {
    /// It goes on.
    Stream(reqwest::Response),
    /// An answer instead, whatever its status.
    Answered {
        /// The HTTP status.
        status: StatusCode,
        /// The body.
        body: Vec<u8>,
    },
}

/// Asks `url` for a stream, and waits for its head at most for `limit`.
///
/// # Errors
/// Why there is no answer, in words.
pub(super) async fn open(http: &Client, url: Url, limit: Duration) -> Result<Opened, String> {
    let head = tokio::time::timeout(limit, http.get(url).send()).await;
    let mut response = match head {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(reason(&error, limit)),
        Err(_) => return Err(late(limit)),
    };
    let status = response.status();
    if status.is_success() {
        return Ok(Opened::Stream(response));
    }
    match tokio::time::timeout(limit, body_of(&mut response)).await {
        Ok(body) => Ok(Opened::Answered {
            status,
            body: body.map_err(|problem| problem.in_words(limit))?,
        }),
        Err(_) => Err(late(limit)),
    }
}

/// Sends `request` to `url` and waits for the whole answer, at most for `limit`.
pub(super) async fn attempt(http: &Client, url: Url, request: &Request<'_>, limit: Duration) -> Attempt {
    let mut builder = http
        .request(request.method.clone(), url)
        .timeout(limit)
        .header(REQUEST_TIMEOUT, in_whole_millis(limit));
    if let Some(body) = &request.body {
        builder = builder
            .header(CONTENT_TYPE, "application/json")
            .body(body.clone());
    }
    if let Repetition::Keyed(key) = &request.repetition {
        builder = builder.header(IDEMPOTENCY_KEY, key.as_str());
    }
    let mut response = match builder.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Attempt::NotSent(reason(&error, limit));
        }
        Err(error) => return Attempt::Unanswered(reason(&error, limit)),
    };
    let status = response.status();
    match body_of(&mut response).await {
        Ok(body) => Attempt::Answered { status, body },
        Err(problem) => Attempt::Unanswered(problem.in_words(limit)),
    }
}

/// Why there is no whole body.
enum NoBody {
    TooLong,
    Broken(reqwest::Error),
}

impl NoBody {
    fn in_words(&self, limit: Duration) -> String {
        match self {
            Self::TooLong => format!("its answer is longer than {} MiB", MAX_ANSWER >> 20),
            Self::Broken(error) => reason(error, limit),
        }
    }
}

async fn body_of(response: &mut reqwest::Response) -> Result<Vec<u8>, NoBody> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(NoBody::Broken)? {
        if body.len() + part.len() > MAX_ANSWER {
            return Err(NoBody::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// The innermost cause: the outer ones only say that a request failed.
fn reason(error: &reqwest::Error, limit: Duration) -> String {
    if error.is_timeout() {
        return if error.is_connect() {
            "no connection in time".to_owned()
        } else {
            late(limit)
        };
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn late(limit: Duration) -> String {
    format!(
        "no answer within {}",
        humantime::format_duration(in_millis(limit))
    )
}

/// As the coordinator reads it, which knows no zero.
fn in_whole_millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis().max(1))
}

fn in_millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
