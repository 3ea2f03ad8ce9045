//! When a request must be answered.

use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::rest::failure::Failure;
use crate::api::rest::state::RestState;
use crate::service::RequestContext;

/// When a request must be answered, counted from its head.
#[derive(Debug, Clone, Copy)]
pub(in crate::api::rest) struct Deadline(pub(in crate::api::rest) Instant);

/// Gives a request its deadline, for `axum::middleware::from_fn_with_state`.
pub(in crate::api::rest) async fn set_deadline(
    State(state): State<RestState>,
    mut request: Request,
    next: Next,
) -> Response {
    let deadline = Deadline(Instant::now() + state.request_timeout);
    request.extensions_mut().insert(deadline);
    next.run(request).await
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

impl From<Deadline> for RequestContext {
    fn from(Deadline(deadline): Deadline) -> Self {
        Self {
            deadline: Some(deadline),
            ..Self::default()
        }
    }
}
