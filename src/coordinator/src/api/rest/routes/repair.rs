//! Repair: whether it is stopped, what it found, and how it is let go on.

use axum::extract::State;

use crate::api::rest::dto::{ReleaseRepairResponse, RepairRecord};
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::{FreshnessParams, ReadContext, WriteContext};
use crate::api::rest::state::RestState;

/// Whether repair is stopped, and what it found
#[utoipa::path(
    get, path = "/api/v1/repair", operation_id = "get_repair_status", tag = "repair", params(FreshnessParams),
    responses((status = 200, description = "The brake, and what the leader found if it is the one that answers", body = RepairRecord)),
)]
pub(in crate::api::rest) async fn status(
    State(state): State<RestState>,
    ReadContext(context): ReadContext,
) -> Answer<RepairRecord> {
    answer(state.service.repair_status(context).await, RepairRecord::from)
}

/// Lets repair go on that is stopped: the nodes that fell silent together are not waited for
///
/// Those that are about to be found silent are not written off: if that stops repair again, it is released again. Done twice it is the same as once, so it takes no idempotency key.
#[utoipa::path(
    post, path = "/api/v1/repair/release", operation_id = "release_repair", tag = "repair",
    responses((status = 200, description = "Whether repair goes on, and without how many nodes", body = ReleaseRepairResponse)),
)]
pub(in crate::api::rest) async fn release(
    State(state): State<RestState>,
    WriteContext(context): WriteContext,
) -> Answer<ReleaseRepairResponse> {
    answer(
        state.service.release_brake(context).await,
        ReleaseRepairResponse::done,
    )
}
