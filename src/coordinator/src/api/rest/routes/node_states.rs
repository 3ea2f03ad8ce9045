//! What operators want of nodes: drain and its end, activate, maintenance.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::IntoParams;

use crate::api::rest::dto::{
    DrainRecord, DrainRequest, ErrorBody, Id, MaintenanceRequest, NamedChunkCount, NodeStateResponse,
};
use crate::api::rest::failure::Failure;
use crate::api::rest::reply::{Answer, answer, outcome};
use crate::api::rest::request::{
    FreshnessParams, FromQuery, IdempotencyParams, JsonBody, OptionalJsonBody, PathId, Query, QueryPairs,
    ReadContext, WriteContext,
};
use crate::api::rest::state::RestState;
use crate::service::{Limits, MAX_NAMED_CHUNKS, NodeStateRequest, RequestContext};

/// Stops placing on a node; its chunks are to move elsewhere
///
/// Refused if something lies on the node and no other is in service, or the others have too little room, unless it is forced.
/// Where fewer others are in service than copies of each chunk are wanted, it begins, and the message says that it cannot
/// end before further nodes come.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/drain", operation_id = "drain_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    request_body = Option<DrainRequest>,
    responses(
        (status = 200, description = "Draining", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
        (status = 409, description = "No other node is in service, or they have too little room", body = NodeStateResponse),
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
/// Refused if something lies on the node and fewer others are in service than copies of each chunk are wanted, or the others
/// have too little room, unless it is forced.
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/decommission", operation_id = "decommission_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    request_body = Option<DrainRequest>,
    responses(
        (status = 200, description = "Draining", body = NodeStateResponse),
        (status = 404, description = "No such node", body = NodeStateResponse),
        (status = 409, description = "The other nodes are too few or have too little room", body = NodeStateResponse),
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
    #[param(value_type = Option<NamedChunkCount>)]
    chunks: Option<u32>,
}

/// How many chunks that are left are to be named.
pub(in crate::api::rest) struct NamedChunks(u32);

impl FromQuery for NamedChunks {
    fn from_query(pairs: &QueryPairs<'_>, _: &Limits) -> Result<Self, Failure> {
        let count = pairs.number("chunks", 0..=i64::from(MAX_NAMED_CHUNKS))?;
        let count = count.and_then(|count| u32::try_from(count).ok());
        Ok(Self(count.unwrap_or_default()))
    }
}

/// How far a drain is, and what keeps the chunks that are left
///
/// A node that was unregistered when its drain was over is `drained`. One that was unregistered before that is not found:
/// what was left on it may lie nowhere else.
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}/drain", operation_id = "get_drain_status", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), DrainParams, FreshnessParams),
    responses(
        (status = 200, description = "How far it is", body = DrainRecord),
        (status = 404, description = "No such node, or one that was unregistered before its drain was over", body = ErrorBody),
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
    let set = state.service.set_node_state(node, request, context).await;
    outcome(
        StatusCode::OK,
        set,
        |set| NodeStateResponse::done(what, set),
        NodeStateResponse::refused,
    )
}
