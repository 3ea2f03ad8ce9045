//! When a request must be answered: in the client's time where it names one, else in the server's.

use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::patience::margin;
use crate::api::rest::failure::Failure;
use crate::api::rest::span::parse_span;
use crate::api::rest::state::RestState;
use crate::service::RequestContext;

/// The header by which a client says how long it waits.
pub(in crate::api::rest) const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");

/// When a request must be answered, counted from its head.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::rest) struct Deadline(pub(in crate::api::rest) Instant);

/// When a client stops waiting for more, by its own word: what ends a stream, which may take longer than any request.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::rest) struct ClientDeadline(pub(in crate::api::rest) Option<Instant>);

/// Gives a request its deadline, for `axum::middleware::from_fn_with_state`.
pub(in crate::api::rest) async fn set_deadline(
    State(state): State<RestState>,
    mut request: Request,
    next: Next,
) -> Response {
    let arrived = Instant::now();
    let own = match time_of_client(request.headers()) {
        Ok(own) => own,
        Err(failure) => return failure.into_response(),
    };
    let time = own.map_or(state.request_timeout, |own| own.min(state.request_timeout));
    let extensions = request.extensions_mut();
    extensions.insert(Deadline(arrived + time));
    extensions.insert(ClientDeadline(own.and_then(|own| arrived.checked_add(own))));
    next.run(request).await
}

/// How long a client with these headers waits, if it says so. The answer comes a little before.
fn time_of_client(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let mut values = headers.get_all(REQUEST_TIMEOUT).iter();
    let timeout = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(parse_span),
        (Some(_), Some(_)) => return Err(Failure::invalid("Request-Timeout: must be given once")),
    };
    let Some(timeout) = timeout else {
        return Err(Failure::invalid(
            "Request-Timeout: must be a number and ms, s, m, h or d, such as 500ms or 2s",
        ));
    };
    Ok(Some(timeout - margin(timeout)))
}

impl Deadline {
    /// The deadline that the middleware set, or one as if the head had come just now.
    pub(in crate::api::rest) fn of(parts: &Parts, state: &RestState) -> Self {
        parts
            .extensions
            .get()
            .copied()
            .unwrap_or_else(|| Self(Instant::now() + state.request_timeout))
    }
}

impl FromRequestParts<RestState> for Deadline {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Failure> {
        Ok(Self::of(parts, state))
    }
}

impl FromRequestParts<RestState> for ClientDeadline {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &RestState) -> Result<Self, Failure> {
        let of_client = parts.extensions.get().copied();
        Ok(of_client.unwrap_or(Self(None)))
    }
}

impl From<Deadline> for RequestContext {
    fn from(Deadline(deadline): Deadline) -> Self {
        Self {
            deadline: Some(deadline),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{REQUEST_TIMEOUT, time_of_client};

    fn time_of(values: &[&'static str]) -> Result<Option<Duration>, String> {
        let headers: HeaderMap = values
            .iter()
            .map(|value| (REQUEST_TIMEOUT, HeaderValue::from_static(value)))
            .collect();
        time_of_client(&headers).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_client_is_answered_a_little_before_it_gives_up() {
        for (values, millis) in [
            (&[][..], None),
            (&["2s"], Some(1_900)),
            (&["30m"], Some(30 * 60_000 - 100)),
            (&["100ms"], Some(80)),
        ] {
            assert_eq!(
                time_of(values),
                Ok(millis.map(Duration::from_millis)),
                "{values:?}"
            );
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_refused_by_the_name_of_the_header() {
        for values in [&["2"][..], &[""], &["soon"], &["1s", "2s"]] {
            let refused = time_of(values).expect_err("must be refused");
            assert!(refused.contains("\"Request-Timeout: must be "), "{refused}");
        }
    }
}
