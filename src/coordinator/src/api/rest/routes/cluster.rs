//! The coordinator's own replicas.

use axum::extract::State;

use crate::api::rest::dto::{ClusterStatus, ErrorBody, Id, ResizeRequest, Success, TransferLeaderRequest};
use crate::api::rest::failure::Failure;
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::{Deadline, JsonBody, OptionalJsonBody, PathId};
use crate::api::rest::state::RestState;
use crate::service::At;

/// Who makes up the coordinator, as the replica that answers sees it
#[utoipa::path(
    get, path = "/api/v1/cluster", operation_id = "get_cluster_status", tag = "cluster",
    responses((status = 200, description = "The cluster", body = ClusterStatus)),
)]
pub(in crate::api::rest) async fn status(State(state): State<RestState>) -> Answer<ClusterStatus> {
    let status = state.service.cluster_status();
    let index = status.applied;
    answer(Ok::<_, Failure>(At { index, value: status }), ClusterStatus::from)
}

/// Hands leadership to another member
#[utoipa::path(
    post, path = "/api/v1/cluster/transfer-leader", operation_id = "transfer_leader", tag = "cluster",
    request_body = Option<TransferLeaderRequest>,
    responses(
        (status = 200, description = "The other member leads", body = Success),
        (status = 404, description = "No such member", body = ErrorBody),
        (status = 409, description = "Refused, with what to do", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn transfer_leader(
    State(state): State<RestState>,
    deadline: Deadline,
    OptionalJsonBody(body): OptionalJsonBody<TransferLeaderRequest>,
) -> Answer<Success> {
    let TransferLeaderRequest { to } = body;
    answer(
        state.service.transfer_leader(to, deadline.into()).await,
        Success::done,
    )
}

/// Takes a member out
#[utoipa::path(
    delete, path = "/api/v1/cluster/members/{name}", operation_id = "remove_member", tag = "cluster",
    params(("name" = Id, Path, description = "The member")),
    responses(
        (status = 200, description = "It is out", body = Success),
        (status = 404, description = "No such member", body = ErrorBody),
        (status = 409, description = "Refused, with what to do", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn remove_member(
    State(state): State<RestState>,
    PathId(name): PathId,
    deadline: Deadline,
) -> Answer<Success> {
    answer(
        state.service.remove_member(name, deadline.into()).await,
        Success::done,
    )
}

/// Sets how many replicas there are
#[utoipa::path(
    post, path = "/api/v1/cluster/resize", operation_id = "resize_cluster", tag = "cluster", request_body = ResizeRequest,
    responses(
        (status = 200, description = "There are so many", body = Success),
        (status = 409, description = "Refused, with what to do", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn resize(
    State(state): State<RestState>,
    deadline: Deadline,
    JsonBody(body): JsonBody<ResizeRequest>,
) -> Answer<Success> {
    let ResizeRequest { replicas } = body;
    answer(
        state.service.resize_cluster(replicas.0, deadline.into()).await,
        Success::done,
    )
}
