//! The routes of the health port.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::checks::HealthChecks;
use super::report::Report;
use crate::metrics::Metrics;

/// The routes `/live`, `/ready` and `/health`, and `/metrics` where there are metrics to show. Serve it with
/// [`crate::http_server::serve`].
pub fn router(checks: HealthChecks, metrics: Option<Metrics>) -> Router {
    let health = Router::new()
        .route(
            "/live",
            get(async |State(checks): State<HealthChecks>| answer(checks.live())),
        )
        .route(
            "/ready",
            get(async |State(checks): State<HealthChecks>| answer(checks.ready())),
        )
        .route(
            "/health",
            get(async |State(checks): State<HealthChecks>| answer(checks.all())),
        )
        .with_state(checks);
    match metrics {
        Some(metrics) => health.route("/metrics", get(async move || rendered(&metrics))),
        None => health,
    }
}

fn answer(report: Report) -> Response {
    let status = if report.is_healthy() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // A probe must never be told what was true earlier.
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(report)).into_response()
}

fn rendered(metrics: &Metrics) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, Metrics::content_type())], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "Metrics cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
