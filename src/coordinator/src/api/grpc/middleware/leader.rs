//! Says with every reply who leads.

use axum::http::{HeaderName, HeaderValue, Response};
use tonic::body::Body;

/// The metadata with the address of the leader's gRPC API.
const LEADER: HeaderName = HeaderName::from_static("leader");

/// Adds the leader to a reply, if it is known. Statuses of unary calls travel in the head as well.
pub(in crate::api::grpc) fn tell_leader(
    mut response: Response<Body>,
    leader: Option<HeaderValue>,
) -> Response<Body> {
    if let Some(leader) = leader {
        response.headers_mut().insert(LEADER, leader);
    }
    response
}
