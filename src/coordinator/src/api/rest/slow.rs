//! The warning about slow answers that operators look for in the log.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

/// An answer that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);

/// Warns about a slow answer, for `axum::middleware::from_fn`.
pub(super) async fn warn_if_slow(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let start = Instant::now();
    let response = next.run(request).await;
    let duration = start.elapsed();
    if duration >= SLOW {
        tracing::warn!(
            api = "rest",
            %method,
            route = route.as_ref().map_or("unmatched", MatchedPath::as_str),
            status = response.status().as_u16(),
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            "Slow API response"
        );
    }
    response
}
