//! What operators want of nodes: drain and its end, activate, maintenance.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::IntoParams;

use crate::api::rest::dto::{
    DrainRecord, DrainRequest, ErrorBody, Id, MaintenanceRequest, NodeStateResponse,
};
use crate::api::rest::failure::Failure;
use crate::api::rest::reply::{Answer, answer, outcome};
use crate::api::rest::request::{
    FreshnessParams, FromQuery, IdempotencyParams, JsonBody, OptionalJsonBody, PathId, Query, QueryPairs,
    ReadContext, WriteContext,
};
use crate::api::rest::state::RestState;
use crate::service::{Limits, NodeStateRequest, RequestContext};

/// The most chunks that are named for a drain.
const MAX_NAMED: i64 = 1_000;

/// Stops placing on a node; its chunks are to move elsewhere
///
/// Refused if the other nodes cannot take them over, unless it is forced.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/drain", operation_id = "drain_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    request_body = Option<DrainRequest>,
    responses(
        (status = 200, description = "Draining", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
        (status = 409, description = "The other nodes cannot take over what lies on it", body = NodeStateResponse),
    ),
)]
pub(in crate::api::rest) async fn drain(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
    OptionalJsonBody(DrainRequest { force }): OptionalJsonBody<DrainRequest>,
) -> Answer<NodeStateResponse> {
    let force = force.unwrap_or_default();
    set(&state, node, NodeStateRequest::Drain { force }, context).await
}

/// Drains a node and then unregisters it
///
/// Refused if the other nodes cannot take over what lies on it, unless it is forced.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/decommission", operation_id = "decommission_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    request_body = Option<DrainRequest>,
    responses(
        (status = 200, description = "Draining", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
        (status = 409, description = "The other nodes cannot take over what lies on it", body = NodeStateResponse),
    ),
)]
pub(in crate::api::rest) async fn decommission(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
    OptionalJsonBody(DrainRequest { force }): OptionalJsonBody<DrainRequest>,
) -> Answer<NodeStateResponse> {
    let force = force.unwrap_or_default();
    set(&state, node, NodeStateRequest::Decommission { force }, context).await
}

/// Stops a drain: what has not moved stays
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/cancel-drain", operation_id = "cancel_drain", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    responses(
        (status = 200, description = "In service again", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
        (status = 409, description = "The node does not drain", body = NodeStateResponse),
    ),
)]
pub(in crate::api::rest) async fn cancel_drain(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
) -> Answer<NodeStateResponse> {
    set(&state, node, NodeStateRequest::CancelDrain, context).await
}

/// How much is to be told of a drain.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `NamedChunks` reads")]
pub(in crate::api::rest) struct DrainParams {
    /// So many of the chunks that are left are named, with what each waits for.
    #[param(minimum = 0, maximum = 1_000)]
    chunks: Option<i32>,
}

/// How many chunks that are left are to be named.
pub(in crate::api::rest) struct NamedChunks(usize);

impl FromQuery for NamedChunks {
    fn from_query(pairs: &QueryPairs<'_>, _: &Limits) -> Result<Self, Failure> {
        let count = pairs.number("chunks", 0..=MAX_NAMED)?.unwrap_or_default();
        Ok(Self(usize::try_from(count).unwrap_or_default()))
    }
}

/// How far a drain is, and what keeps the chunks that are left
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}/drain", operation_id = "get_drain_status", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), DrainParams, FreshnessParams),
    responses(
        (status = 200, description = "How far it is", body = DrainRecord),
        (status = 404, description = "No such node, or one that was unregistered", body = ErrorBody),
        (status = 409, description = "The node does not drain", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn drain_status(
    State(state): State<RestState>,
    PathId(node): PathId,
    Query(NamedChunks(named)): Query<NamedChunks>,
    ReadContext(context): ReadContext,
) -> Answer<DrainRecord> {
    answer(
        state.service.drain_status(node, named, context).await,
        DrainRecord::from,
    )
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
