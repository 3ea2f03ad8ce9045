//! The header that says who leads.

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::middleware::Next;
use axum::response::Response;

use super::state::RestState;
use crate::api::leader::leader_header;

/// The header with the address of the leader's gRPC API.
pub(super) const LEADER: HeaderName = HeaderName::from_static("x-leader");

/// Says who leads, for `axum::middleware::from_fn_with_state`. Asked after the request: it may have waited for a new
/// leader.
pub(super) async fn tell_leader(State(state): State<RestState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(leader) = leader_header(&state.service) {
        response.headers_mut().insert(LEADER, leader);
    }
    response
}
