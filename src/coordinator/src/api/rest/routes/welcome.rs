//! `/` and `/health`, outside the prefix.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::api::rest::dto::Welcome;
use crate::api::rest::state::RestState;
use crate::health::Report;

/// Who answers here, and where to go on
#[utoipa::path(
    get, path = "/", operation_id = "welcome", tag = "service", responses((status = 200, body = Welcome)))]
pub(in crate::api::rest) async fn welcome() -> Json<Welcome> {
    Json(Welcome::new())
}

/// Whether everything is well with this replica
#[utoipa::path(
    get, path = "/health", operation_id = "health", tag = "service",
    responses(
        (status = 200, description = "Everything is well", body = Report),
        (status = 503, description = "Something is not: the checks say what", body = Report),
    ),
)]
pub(in crate::api::rest) async fn health(State(state): State<RestState>) -> (StatusCode, Json<Report>) {
    let report = state.health.all();
    let status = if report.is_healthy() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report))
}
