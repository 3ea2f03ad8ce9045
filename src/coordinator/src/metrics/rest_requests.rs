//! Counts and times REST requests: a middleware for the whole router, so that it sees what matched and what
//! did not.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::Metrics;
use super::labels::{self, Api};

/// Counts and times one request by its route, for `axum::middleware::from_fn_with_state`.
pub async fn count_rest_request(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let method = labels::rest_method(request.method(), route);
    let start = Instant::now();
    let response = next.run(request).await;
    let took = Some(start.elapsed());
    metrics.request(Api::Rest, &method, response.status().as_str(), took);
    response
}
