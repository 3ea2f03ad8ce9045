//! The id in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::api::rest::failure::Failure;
use crate::api::rest::state::RestState;

/// The id in a path, decoded. The service checks it.
pub(in crate::api::rest) struct PathId(pub(in crate::api::rest) String);

impl FromRequestParts<RestState> for PathId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Failure> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            // The routes that use this have one parameter: nothing but its text can be wrong.
            Err(_) => Err(Failure::invalid("the id in the path is not UTF-8")),
        }
    }
}
