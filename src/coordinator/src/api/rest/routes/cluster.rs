//! The coordinator's own replicas.

use axum::extract::State;

use crate::api::rest::dto::{ClusterStatus, ErrorBody, Id, ResizeRequest, Success, TransferLeaderRequest};
use crate::api::rest::failure::Failure;
use crate::api::rest::membership;
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::{JsonBody, OptionalJsonBody, PathId};
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
    OptionalJsonBody(body): OptionalJsonBody<TransferLeaderRequest>,
) -> Answer<Success> {
    let TransferLeaderRequest { to } = body;
    done(&state, |status| {
        membership::transfer_leader(status, to.as_deref())
    })
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
) -> Answer<Success> {
    done(&state, |status| membership::remove_member(status, &name))
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
    JsonBody(body): JsonBody<ResizeRequest>,
) -> Answer<Success> {
    let ResizeRequest { replicas } = body;
    done(&state, |status| membership::resize(status, replicas.0))
}

fn done(
    state: &RestState,
    decide: impl FnOnce(&zephyrfs_core::engine::EngineStatus) -> Result<String, Failure>,
) -> Answer<Success> {
    let status = state.service.cluster_status();
    let index = status.applied;
    let result = decide(&status).map_err(|failure| failure.at(index));
    answer(result.map(|value| At { index, value }), Success::done)
}
