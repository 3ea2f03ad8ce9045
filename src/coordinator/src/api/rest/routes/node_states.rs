//! What operators want of nodes: drain, activate, maintenance.

use axum::extract::State;
use axum::http::StatusCode;

use crate::api::rest::dto::{Id, MaintenanceRequest, NodeStateResponse};
use crate::api::rest::reply::{Answer, outcome};
use crate::api::rest::request::{IdempotencyParams, JsonBody, PathId, WriteContext};
use crate::api::rest::state::RestState;
use crate::service::{NodeStateRequest, RequestContext};

/// Stops placing on a node; its chunks are to move elsewhere
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/drain", operation_id = "drain_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    responses(
        (status = 200, description = "Draining", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
    ),
)]
pub(in crate::api::rest) async fn drain(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
) -> Answer<NodeStateResponse> {
    set(&state, node, NodeStateRequest::Drain { force: false }, context).await
}

/// Takes a drain or a maintenance back: the node is in service again
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/activate", operation_id = "activate_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    responses(
        (status = 200, description = "In service", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
    ),
)]
pub(in crate::api::rest) async fn activate(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
) -> Answer<NodeStateResponse> {
    set(&state, node, NodeStateRequest::Activate, context).await
}

/// Announces an absence: for so long the node's silence starts no repair
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/maintenance", operation_id = "maintain_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    request_body = MaintenanceRequest,
    responses(
        (status = 200, description = "In maintenance", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
    ),
)]
pub(in crate::api::rest) async fn maintenance(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
    JsonBody(body): JsonBody<MaintenanceRequest>,
) -> Answer<NodeStateResponse> {
    set(&state, node, body.try_into()?, context).await
}

async fn set(
    state: &RestState,
    node: String,
    request: NodeStateRequest,
    context: RequestContext,
) -> Answer<NodeStateResponse> {
    let what = match &request {
        NodeStateRequest::Drain { .. } => "Drain is on",
        NodeStateRequest::Decommission { .. } => "Drain is on; the node is unregistered when it is empty",
        NodeStateRequest::CancelDrain => "Drain is off",
        NodeStateRequest::Activate => "Drain and maintenance are off",
        NodeStateRequest::Maintain { .. } => "Maintenance is on",
    };
    let status = state.service.set_node_state(node, request, context).await;
    outcome(
        StatusCode::OK,
        status,
        |status| NodeStateResponse::done(what, status),
        NodeStateResponse::refused,
    )
}
