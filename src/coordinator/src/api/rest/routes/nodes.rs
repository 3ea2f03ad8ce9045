//! Storage nodes: they come, report, go, and are looked up.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::IntoParams;

use super::lists::PageParams;
use crate::api::rest::dto::{
    ErrorBody, GetActiveNodesResponse, Id, List, NodeHeartbeatRequest, NodeHeartbeatResponse, NodeIds,
    NodeRecord, NodeStatusWord, RegisterNodeRequest, RegisterNodeResponse, Success, UnregisterNodeRequest,
};
use crate::api::rest::failure::Failure;
use crate::api::rest::reply::{Answer, answer, outcome};
use crate::api::rest::request::{
    FreshnessParams, FromQuery, IdempotencyParams, JsonBody, OptionalJsonBody, PathId, Query, QueryPairs,
    ReadContext, WriteContext,
};
use crate::api::rest::state::RestState;
use crate::service::{ActiveNodesQuery, Limits, NodeListQuery, PageQuery};

/// Active nodes in an answer for which no limit was given.
const DEFAULT_ACTIVE_NODES: i64 = 50;

/// Registers a node, or registers it again
#[utoipa::path(
    post, path = "/api/v1/nodes/register", operation_id = "register_node", tag = "nodes",
    params(IdempotencyParams), request_body = RegisterNodeRequest,
    responses((status = 200, description = "Registered", body = RegisterNodeResponse)),
)]
pub(in crate::api::rest) async fn register(
    State(state): State<RestState>,
    WriteContext(context): WriteContext,
    JsonBody(body): JsonBody<RegisterNodeRequest>,
) -> Answer<RegisterNodeResponse> {
    let registered = state.service.register_node(body.into(), context).await;
    answer(registered, RegisterNodeResponse::from)
}

/// Takes a node's sign of life, and tells it what to do
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/heartbeat", operation_id = "node_heartbeat", tag = "nodes",
    params(("id" = Id, Path, description = "The node")), request_body = NodeHeartbeatRequest,
    responses(
        (status = 200, description = "Taken", body = NodeHeartbeatResponse),
        (status = 404, description = "No such node: it must register", body = NodeHeartbeatResponse),
    ),
)]
pub(in crate::api::rest) async fn heartbeat(
    State(state): State<RestState>,
    PathId(node): PathId,
    ReadContext(context): ReadContext,
    JsonBody(body): JsonBody<NodeHeartbeatRequest>,
) -> Answer<NodeHeartbeatResponse> {
    let tasks = state.service.heartbeat(body.of(node), context).await;
    outcome(
        StatusCode::OK,
        tasks,
        NodeHeartbeatResponse::taken,
        NodeHeartbeatResponse::refused,
    )
}

/// Unregisters a node for good; its chunks are moved elsewhere
#[utoipa::path(
    post, path = "/api/v1/nodes/{id}/unregister", operation_id = "unregister_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), IdempotencyParams),
    request_body = Option<UnregisterNodeRequest>,
    responses(
        (status = 200, description = "Unregistered, now or before", body = Success),
        (status = 404, description = "No such node", body = Success),
    ),
)]
pub(in crate::api::rest) async fn unregister(
    State(state): State<RestState>,
    PathId(node): PathId,
    WriteContext(context): WriteContext,
    OptionalJsonBody(body): OptionalJsonBody<UnregisterNodeRequest>,
) -> Answer<Success> {
    let done = state.service.unregister_node(body.of(node), context).await;
    outcome(
        StatusCode::OK,
        done,
        |()| Success::done("Node unregistered"),
        Success::refused,
    )
}

/// Which active nodes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `ActiveNodesQuery` reads")]
pub(in crate::api::rest) struct ActiveNodesParams {
    /// 50 if left out; 0 means all.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    limit: Option<i32>,
    /// Nodes to leave out.
    #[param(value_type = Option<NodeIds>)]
    exclude: Option<Vec<String>>,
}

impl FromQuery for ActiveNodesQuery {
    fn from_query(pairs: &QueryPairs<'_>, _: &Limits) -> Result<Self, Failure> {
        let limit = pairs.number("limit", 0..=i64::from(i32::MAX))?;
        Ok(Self {
            limit: limit.unwrap_or(DEFAULT_ACTIVE_NODES),
            exclude: pairs.all("exclude")?,
        })
    }
}

/// Active nodes, longest uptime first
#[utoipa::path(
    get, path = "/api/v1/nodes/active", operation_id = "get_active_nodes", tag = "nodes", params(ActiveNodesParams, FreshnessParams),
    responses((status = 200, description = "The nodes", body = GetActiveNodesResponse)),
)]
pub(in crate::api::rest) async fn active(
    State(state): State<RestState>,
    Query(query): Query<ActiveNodesQuery>,
    ReadContext(context): ReadContext,
) -> Answer<GetActiveNodesResponse> {
    let nodes = state.service.active_nodes(query, context).await;
    let nodes = nodes.map_err(|error| Failure::renaming(error, "exclude_nodes", "exclude"));
    answer(nodes, GetActiveNodesResponse::from)
}

/// One node
#[utoipa::path(
    get, path = "/api/v1/nodes/{id}", operation_id = "get_node", tag = "nodes",
    params(("id" = Id, Path, description = "The node"), FreshnessParams),
    responses(
        (status = 200, description = "The node", body = NodeRecord),
        (status = 404, description = "No such node", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn one(
    State(state): State<RestState>,
    PathId(node): PathId,
    ReadContext(context): ReadContext,
) -> Answer<NodeRecord> {
    answer(state.service.node(node, context).await, NodeRecord::from)
}

/// Which nodes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `NodeListQuery` reads")]
pub(in crate::api::rest) struct NodeListParams {
    /// Only nodes with this status.
    #[param(value_type = Option<NodeStatusWord>)]
    status: Option<String>,
}

impl FromQuery for NodeListQuery {
    fn from_query(pairs: &QueryPairs<'_>, limits: &Limits) -> Result<Self, Failure> {
        Ok(Self {
            status: pairs.not_empty("status")?.unwrap_or_default(),
            page: PageQuery::from_query(pairs, limits)?,
        })
    }
}

/// Nodes by id, unregistered ones among the inactive
#[utoipa::path(
    get, path = "/api/v1/nodes", operation_id = "list_nodes", tag = "nodes", params(NodeListParams, PageParams, FreshnessParams),
    responses((status = 200, description = "A page of nodes", body = List<NodeRecord>)),
)]
pub(in crate::api::rest) async fn list(
    State(state): State<RestState>,
    Query(query): Query<NodeListQuery>,
    ReadContext(context): ReadContext,
) -> Answer<List<NodeRecord>> {
    answer(state.service.list_nodes(query, context).await, List::of)
}
