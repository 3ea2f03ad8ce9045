//! Warns when an answer took long.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tracing::warn;

/// What counts as long.
const SLOW: Duration = Duration::from_secs(1);

/// Passes a request on, and warns when its answer took long.
pub(in crate::api::grpc) async fn warn_when_slow(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let elapsed = start.elapsed();
    if elapsed >= SLOW {
        warn!(
            path,
            duration_ms = elapsed.as_millis() as u64,
            "Slow API response"
        );
    }
    response
}
