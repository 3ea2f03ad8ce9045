//! The client of the REST API: sends a request to the first endpoint that can answer it.
//!
//! An endpoint that cannot be reached, or says that nothing happened (503), hands over to the next; after the last
//! one it begins again, until the time is over. The endpoint that answered is asked first the next time. A write that may
//! have arrived is repeated only with its idempotency key, or if twice is the same as once, and is reported as unknown when
//! no answer settles it. Called by every command that asks a coordinator.

mod answer;
mod attempt;
mod endpoint;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use tokio::time::{Instant, sleep};

pub(crate) use answer::Answer;
pub(crate) use endpoint::Endpoints;
pub(crate) use request::{IdempotencyKey, Repetition, Request};
pub(crate) use stream::Stream;

use crate::cli::exit::CliError;
use attempt::{Attempt, attempt};
use endpoint::Endpoint;

/// A host that is up accepts a connection well within this.
const LONGEST_CONNECT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Who waits longer than this is told why.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client of the coordinator, at any of several endpoints.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoints: Endpoints,
    timeout: Duration,
    connect_timeout: Duration,
    /// The position of the endpoint that is asked first: the one that gave the last answer.
    first: usize,
}

/// What came of the attempts so far.
#[derive(Debug, Default)]
struct Attempts {
    /// The last words of each endpoint.
    reasons: Vec<String>,
    /// Whether some attempt of a write may have had its effect.
    is_uncertain: bool,
}

impl Client {
    /// A client that waits at most `timeout` for each answer, all endpoints and repetitions together.
    ///
    /// # Errors
    /// `Local` when the system lacks what a client needs.
    pub(crate) fn new(endpoints: Endpoints, timeout: Duration) -> Result<Self, CliError> {
        let count = u32::try_from(endpoints.as_slice().len()).unwrap_or(u32::MAX);
        let connect_timeout = (timeout / count / 4).min(LONGEST_CONNECT);
        Ok(Self {
            http: http_client(connect_timeout)?,
            endpoints,
            timeout,
            connect_timeout,
            first: 0,
        })
    }

    /// The answer to `request`. `notice` is told, once, when it takes long.
    ///
    /// # Errors
    /// `NotFound`, `Refused` and `Unintelligible` as the answer says; `Unavailable` when no endpoint gave one and
    /// nothing happened, `UnknownOutcome` when a write may have happened.
    pub(crate) async fn send(
        &mut self,
        request: &Request<'_>,
        mut notice: impl FnMut(&str),
    ) -> Result<Answer, CliError> {
        let deadline = Instant::now() + self.timeout;
        let mut attempts = Attempts::default();
        let mut pause = FIRST_PAUSE;
        let mut has_noticed = false;
        loop {
            let mut round = Vec::new();
            if let Some(settled) = self.round(request, deadline, &mut attempts, &mut round).await {
                return settled;
            }
            if !round.is_empty() {
                attempts.reasons = round;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // Less time would not tell a connection that takes long from an answer that does.
            if left <= pause + self.connect_timeout {
                return Err(attempts.failure(request));
            }
            if !has_noticed && self.timeout - left >= PATIENCE {
                has_noticed = true;
                notice(&format!(
                    "no answer yet: {}; trying for another {} s",
                    attempts.reasons.join(", "),
                    left.as_secs()
                ));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks each endpoint once, until one settles it. What the others say goes to `reasons`.
    async fn round(
        &mut self,
        request: &Request<'_>,
        deadline: Instant,
        attempts: &mut Attempts,
        reasons: &mut Vec<String>,
    ) -> Option<Result<Answer, CliError>> {
        let mut waiting = u32::try_from(self.endpoints.as_slice().len()).unwrap_or(u32::MAX);
        let (before, from_first) = self.endpoints.as_slice().split_at(self.first);
        for endpoint in from_first.iter().chain(before) {
            // A replica that hangs must leave time to ask the others.
            let limit = deadline.saturating_duration_since(Instant::now()) / waiting;
            waiting -= 1;
            if limit <= self.connect_timeout {
                return None;
            }
            let url = endpoint.resource(&request.path, &request.query);
            let (reason, may_have_happened) = match attempt(&self.http, url, request, limit).await {
                Attempt::Answered { status, body } => match nothing_learned(status) {
                    Some(may_have_happened) => (answer::explain(status, &body), may_have_happened),
                    None => {
                        let answer = Answer::new(endpoint.to_string(), status, &body);
                        let all = self.endpoints.as_slice().iter();
                        self.first = all.take_while(|other| *other != endpoint).count();
                        return Some(answer);
                    }
                },
                Attempt::NotSent(reason) => (reason, false),
                Attempt::Unanswered(reason) => (reason, true),
            };
            reasons.push(describe(endpoint, &reason));
            if may_have_happened && request.repetition != Repetition::Read {
                attempts.is_uncertain = true;
                if request.repetition == Repetition::Unsafe {
                    attempts.reasons.clone_from(reasons);
                    return Some(Err(attempts.failure(request)));
                }
            }
        }
        None
    }
}

impl Attempts {
    fn failure(&self, request: &Request<'_>) -> CliError {
        let attempts = if self.reasons.is_empty() {
            "the time was over before anybody could be asked".to_owned()
        } else {
            self.reasons.join(", ")
        };
        let advice = match &request.repetition {
            Repetition::Keyed(key) if self.is_uncertain => format!(
                "it may or may not have been done, and repeating the command with --idempotency-key {key} is safe"
            ),
            Repetition::Harmless { shown_by } if self.is_uncertain => {
                format!(
                    "it may or may not have been done: `{shown_by}` shows it, and repeating the command is safe"
                )
            }
            Repetition::Unsafe if self.is_uncertain => {
                "it may or may not have been done: see `coordinator cluster status` before you repeat it"
                    .to_owned()
            }
            Repetition::Read | Repetition::Keyed(_) | Repetition::Harmless { .. } | Repetition::Unsafe => {
                return CliError::Unavailable { attempts };
            }
        };
        CliError::UnknownOutcome { attempts, advice }
    }
}

/// Asks `url` once, without any API around it: the answer's status and body.
///
/// # Errors
/// Why there is none, in words.
pub(crate) async fn ask_once(url: reqwest::Url, timeout: Duration) -> Result<(StatusCode, Vec<u8>), String> {
    let http = http_client(timeout.min(LONGEST_CONNECT)).map_err(|error| error.to_string())?;
    match attempt(&http, url, &Request::get([]), timeout).await {
        Attempt::Answered { status, body } => Ok((status, body)),
        Attempt::NotSent(reason) | Attempt::Unanswered(reason) => Err(reason),
    }
}

/// Coordinators are asked directly, redirect nobody, and a command asks too little to gain from open connections,
/// which may have been closed meanwhile.
fn http_client(connect_timeout: Duration) -> Result<reqwest::Client, CliError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("coordinator/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| CliError::Local(format!("no HTTP client can be made: {error}")))
}

/// Of a status that settles nothing, whether the request may have been carried out all the same.
fn nothing_learned(status: StatusCode) -> Option<bool> {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Some(false),
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Some(true),
        _ => None,
    }
}

fn describe(endpoint: &Endpoint, reason: &str) -> String {
    format!("{endpoint} ({reason})")
}
