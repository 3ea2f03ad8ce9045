//! The header that says which state an answer is from.

use axum::http::HeaderName;
use axum::response::AppendHeaders;
use zephyrfs_core::units::AppliedIndex;

/// The header with the index at which a write took effect or a read was answered.
pub(super) const APPLIED_INDEX: HeaderName = HeaderName::from_static("x-applied-index");

/// The header for an index.
pub(super) fn index_header(index: Option<AppliedIndex>) -> AppendHeaders<Option<(HeaderName, String)>> {
    AppendHeaders(index.map(|index| (APPLIED_INDEX, index.to_string())))
}
