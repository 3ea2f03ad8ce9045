//! The network as a whole, in numbers.

use axum::extract::State;

use crate::api::rest::dto::{GetNetworkStatusResponse, NetworkStatsResponse};
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::{FreshnessParams, ReadContext};
use crate::api::rest::state::RestState;

/// The network in numbers, with its active nodes
#[utoipa::path(
    get, path = "/api/v1/network/status", operation_id = "get_network_status", tag = "network", params(FreshnessParams),
    responses((status = 200, description = "The network", body = GetNetworkStatusResponse)),
)]
pub(in crate::api::rest) async fn status(
    State(state): State<RestState>,
    ReadContext(context): ReadContext,
) -> Answer<GetNetworkStatusResponse> {
    answer(
        state.service.network_status(context).await,
        GetNetworkStatusResponse::from,
    )
}

/// The network in numbers
#[utoipa::path(
    get, path = "/api/v1/network/stats", operation_id = "get_network_stats", tag = "network", params(FreshnessParams),
    responses((status = 200, description = "The numbers", body = NetworkStatsResponse)),
)]
pub(in crate::api::rest) async fn stats(
    State(state): State<RestState>,
    ReadContext(context): ReadContext,
) -> Answer<NetworkStatsResponse> {
    answer(
        state.service.network_stats(context).await,
        NetworkStatsResponse::from,
    )
}
