//! The client's deadline, from the `grpc-timeout` header: handlers get it, and nothing outlasts it.
//!
//! Everything here answers a little before the client stops waiting, since an answer that comes too late
//! tells nobody whether a write took effect. First the service gives up by itself, and says what it knows;
//! what hangs elsewhere, such as a body that does not arrive, is cut off here.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Response};
use tonic::Status;
use tonic::body::Body;

use crate::api::patience::margin;
use crate::service::InvalidField;

const HEADER: &str = "grpc-timeout";

/// No request takes longer than this, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// When the service gives up on a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::grpc) struct Deadline(pub(in crate::api::grpc) Instant);

/// Waits until a deadline, for ever if there is none.
pub(in crate::api::grpc) async fn passed(deadline: Option<Deadline>) {
    match deadline {
        Some(Deadline(deadline)) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// When a client stops waiting for more, by its own word: what ends a stream, which may take longer than any request.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::grpc) struct ClientDeadline(pub(in crate::api::grpc) Option<Instant>);

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::grpc) struct TimeLimit {
    /// When the service gives up.
    pub(in crate::api::grpc) deadline: Deadline,
    /// When the service gives up on a stream.
    pub(in crate::api::grpc) of_client: ClientDeadline,
    /// When the request is cut off.
    end: Instant,
}

impl Deadline {
    /// Of a stream with these headers that was opened just now: the client's; without one it lasts until one side ends it.
    ///
    /// # Errors
    /// [`InvalidField`] if the client's time cannot be read.
    pub(in crate::api::grpc) fn of_stream(headers: &HeaderMap) -> Result<Option<Self>, InvalidField> {
        let opened = Instant::now();
        let end = |timeout: Duration| opened.checked_add(timeout - margin(timeout)).map(Self);
        Ok(timeout_of(headers)?.and_then(end))
    }
}

impl TimeLimit {
    /// Of a request with these headers that arrived just now; `default` where the client names no time.
    ///
    /// # Errors
    /// [`InvalidField`] if the client's time cannot be read.
    pub(in crate::api::grpc) fn of(headers: &HeaderMap, default: Duration) -> Result<Self, InvalidField> {
        let arrived = Instant::now();
        let own = timeout_of(headers)?;
        let of_client = own.and_then(|own| arrived.checked_add(own - margin(own)));
        let timeout = own.unwrap_or(default).min(LONGEST);
        let margin = margin(timeout);
        let end = arrived + timeout;
        Ok(Self {
            deadline: Deadline(end - margin),
            of_client: ClientDeadline(of_client),
            end: end - margin / 2,
        })
    }

    /// Waits for an answer, and cuts the request off if there is none in time.
    pub(in crate::api::grpc) async fn cut_off(
        self,
        answer: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        match tokio::time::timeout_at(self.end.into(), answer).await {
            Ok(response) => response,
            Err(_) => Status::deadline_exceeded(
                "the deadline passed before the request was answered; a write may or may not have taken effect",
            )
            .into_http(),
        }
    }
}

/// The client's timeout: at most eight digits and a unit.
fn timeout_of(headers: &HeaderMap) -> Result<Option<Duration>, InvalidField> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(parse)
        .map(Some)
        .ok_or_else(|| InvalidField::new(HEADER, "must be one to eight digits and one of H, M, S, m, u, n"))
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|last: char| !last.is_ascii_digit());
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn every_unit_is_known_and_nothing_else() {
        for (text, expected) in [
            ("2H", Some(Duration::from_secs(7_200))),
            ("3M", Some(Duration::from_secs(180))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("99999999H", Some(Duration::from_secs(359_999_996_400))),
            ("250m", Some(Duration::from_millis(250))),
            ("250u", Some(Duration::from_micros(250))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("5", None),
            ("5s", None),
            ("-5S", None),
            ("+5S", None),
            ("5 S", None),
            ("5SS", None),
            ("123456789S", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
