//! Which web pages may call the API.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::applied_index::APPLIED_INDEX;
use super::leader::LEADER;

/// How long a browser may remember what it was allowed.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// An origin that cannot be in a header.
#[derive(Debug, thiserror::Error)]
#[error("http.cors_origins: {origin:?} cannot be an origin; write one such as https://files.example.org")]
pub struct OriginError {
    origin: String,
}

/// Lets pages of these origins call the API: `["*"]` is any, an empty list is none.
///
/// # Errors
/// [`OriginError`].
pub(super) fn layer(origins: &[String]) -> Result<CorsLayer, OriginError> {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let values = origins.iter().map(|origin| {
            HeaderValue::from_str(origin).map_err(|_| OriginError {
                origin: origin.clone(),
            })
        });
        AllowOrigin::list(values.collect::<Result<Vec<_>, _>>()?)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
        ])
        // A page that may call may send what it likes, such as the token that a proxy in front asks for. A list of all
        // headers would not do: browsers take a star to leave out `Authorization`.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([APPLIED_INDEX, LEADER, HeaderName::from_static("retry-after")])
        .max_age(MAX_AGE))
}
