//! What is said of a request that could not be answered.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered with what it asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(in crate::api::rest) struct ErrorBody {
    /// A short text that is the same for every failure of a kind.
    pub(in crate::api::rest) error: &'static str,
    /// What exactly, naming the field or parameter.
    pub(in crate::api::rest) details: String,
}
