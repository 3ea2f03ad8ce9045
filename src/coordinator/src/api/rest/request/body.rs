//! The body of a request: taken in up to a limit, in time, and only as much of all bodies at once as memory
//! allows.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::deadline::Deadline;
use super::json;
use crate::api::rest::body_limits::BodyLimits;
use crate::api::rest::failure::Failure;
use crate::api::rest::object::Object;
use crate::api::rest::state::RestState;

/// Bytes of each body that count towards no budget: heartbeats and their like get through whatever others
/// send.
const FREE_BYTES: usize = 16 << 10;

/// How long the rest of a body that is too large is read and dropped. A client that is still sending when the
/// connection closes would never see the answer.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// A body that is one JSON object.
#[derive(Debug)]
pub(in crate::api::rest) struct JsonBody<T>(pub(in crate::api::rest) T);

/// A body that is one JSON object, or null, or left out.
#[derive(Debug)]
pub(in crate::api::rest) struct OptionalJsonBody<T>(pub(in crate::api::rest) T);

impl<T: DeserializeOwned> FromRequest<RestState> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &RestState) -> Result<Self, Failure> {
        match read(request, state).await? {
            Some(Object(value)) => Ok(Self(value)),
            None => Err(Failure::invalid("body: is missing; send a JSON object")),
        }
    }
}

impl<T: DeserializeOwned + Default> FromRequest<RestState> for OptionalJsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &RestState) -> Result<Self, Failure> {
        let value: Option<Option<Object<T>>> = read(request, state).await?;
        Ok(Self(
            value.flatten().map(|Object(value)| value).unwrap_or_default(),
        ))
    }
}

/// The value in a body; `None` if there is no body.
async fn read<T: DeserializeOwned>(request: Request, state: &RestState) -> Result<Option<T>, Failure> {
    let (parts, body) = request.into_parts();
    let Deadline(deadline) = Deadline::of(&parts, state);
    let announced = body.size_hint().exact().unwrap_or(0);
    if parts.headers.contains_key(header::EXPECT) && announced > state.bodies.max_size as u64 {
        // The client waits to be told to go on: it need not send what is refused.
        return Err(too_large(state.bodies.max_size));
    }
    let (bytes, permit) = take_in(body, &state.bodies, deadline.into()).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    require_json(&parts.headers)?;
    let value = json::read(&bytes);
    drop(permit);
    value.map(Some)
}

/// Takes in a whole body, with the permit for its share of the budget.
async fn take_in(
    body: Body,
    limits: &BodyLimits,
    deadline: Instant,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Failure> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    let mut permit: Option<OwnedSemaphorePermit> = None;
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(too_slow()),
            Ok(None) => return Ok((bytes.into(), permit)),
            Ok(Some(Err(error))) => return Err(Failure::invalid(format!("body: ends early: {error}"))),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limits.max_size {
            drop((bytes, permit));
            let until = deadline.min(Instant::now() + DISCARD_TIME);
            // In vain if the client stops sending: it has its answer then as well.
            let _ = timeout_at(until, async {
                while let Some(Ok(frame)) = body.frame().await {
                    drop(frame);
                }
            })
            .await;
            return Err(too_large(limits.max_size));
        }
        let held = permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = length.saturating_sub(FREE_BYTES).saturating_sub(held);
        if missing > 0 {
            let more = u32::try_from(missing)
                .ok()
                .and_then(|missing| Arc::clone(&limits.budget).try_acquire_many_owned(missing).ok())
                .ok_or_else(overloaded)?;
            match &mut permit {
                Some(permit) => permit.merge(more),
                None => permit = Some(more),
            }
        }
        bytes.extend_from_slice(&data);
    }
}

/// Refuses a body that does not say that it is JSON.
fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(unsupported(
            "the header Content-Type is missing; send application/json",
        ));
    };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || essence.split_once('/').is_some_and(|(kind, form)| {
            kind.eq_ignore_ascii_case("application") && form.to_ascii_lowercase().ends_with("+json")
        });
    if is_json {
        Ok(())
    } else {
        Err(unsupported(format!(
            "the body is {text:?}; send application/json"
        )))
    }
}

fn unsupported(details: impl Into<String>) -> Failure {
    Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported media type",
        details,
    )
}

fn too_large(max: usize) -> Failure {
    let details = format!("body: must be at most {max} bytes long (limits.max_body_size)");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "request too large", details)
}

fn too_slow() -> Failure {
    let details = "the body did not arrive in time (limits.request_timeout)";
    Failure::new(StatusCode::REQUEST_TIMEOUT, "request timeout", details)
}

fn overloaded() -> Failure {
    let details = "too many large bodies are being received; nothing happened, send it again a little later";
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", details)
}
