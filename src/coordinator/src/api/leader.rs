//! Who leads, as every answer of both APIs says it: a client that asks there is spared the way through another replica.

use axum::http::HeaderValue;

use crate::service::Service;

/// Where clients reach the leader's gRPC API; `None` while nobody leads, or where the leader does not say it.
pub fn leader_header(service: &Service) -> Option<HeaderValue> {
    // An address that no header can hold is one that nobody can use either.
    HeaderValue::from_str(&service.leader_address()?).ok()
}
