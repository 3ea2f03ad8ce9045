//! Why a chunk, a node or a task is as it is.

use axum::extract::State;

use crate::api::rest::dto::{ErrorBody, Id, WhyAnswer};
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::{FreshnessParams, PathId, ReadContext};
use crate::api::rest::state::RestState;
use crate::service::RequestContext;

/// Why a chunk has the copies that it has
#[utoipa::path(
    get, path = "/api/v1/why/chunk/{id}", operation_id = "why_chunk", tag = "why",
    params(("id" = Id, Path, description = "The chunk"), FreshnessParams),
    responses(
        (status = 200, description = "Its state, what keeps it there, and what happened to it lately", body = WhyAnswer),
        (status = 404, description = "No such chunk", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn chunk(
    State(state): State<RestState>,
    PathId(id): PathId,
    ReadContext(context): ReadContext,
) -> Answer<WhyAnswer> {
    why(&state, "chunk", id, context).await
}

/// Why a node is in the state that it is in
#[utoipa::path(
    get, path = "/api/v1/why/node/{id}", operation_id = "why_node", tag = "why",
    params(("id" = Id, Path, description = "The node"), FreshnessParams),
    responses(
        (status = 200, description = "Its state, what keeps it there, and what happened to it lately", body = WhyAnswer),
        (status = 404, description = "No such node", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn node(
    State(state): State<RestState>,
    PathId(id): PathId,
    ReadContext(context): ReadContext,
) -> Answer<WhyAnswer> {
    why(&state, "node", id, context).await
}

/// Why a task does not advance
#[utoipa::path(
    get, path = "/api/v1/why/task/{id}", operation_id = "why_task", tag = "why",
    params(("id" = String, Path, pattern = "^[0-9a-f]{32}$", description = "The task, 32 hex digits"), FreshnessParams),
    responses(
        (status = 200, description = "Its state, what keeps it there, and what happened to it lately", body = WhyAnswer),
        (status = 404, description = "No such task, or no longer: the details say what is known of it", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn task(
    State(state): State<RestState>,
    PathId(id): PathId,
    ReadContext(context): ReadContext,
) -> Answer<WhyAnswer> {
    why(&state, "task", id, context).await
}

async fn why(state: &RestState, kind: &str, id: String, context: RequestContext) -> Answer<WhyAnswer> {
    answer(state.service.why(kind, id, context).await, WhyAnswer::from)
}
