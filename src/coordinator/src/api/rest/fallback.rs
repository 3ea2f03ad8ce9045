//! What no route takes.

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;

/// Bytes of a path with its query. The longest that has a meaning is a list of excluded node ids.
const MAX_TARGET_LENGTH: usize = 32 << 10;

/// Nothing has this path.
pub(super) async fn unknown_route(uri: Uri) -> Failure {
    let details = format!("nothing is served at {}; /docs describes what is", uri.path());
    Failure::new(StatusCode::NOT_FOUND, "not found", details)
}

/// Something has this path, under other methods: the header `Allow` names them.
pub(super) async fn unknown_method(request: Request) -> Failure {
    let details = format!(
        "{} does not apply to {}; the header Allow names what does",
        request.method(),
        request.uri().path()
    );
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", details)
}

/// Refuses paths and queries of any length, for `axum::middleware::from_fn`.
pub(super) async fn refuse_long_targets(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let length = uri.path().len() + uri.query().map_or(0, str::len);
    if length > MAX_TARGET_LENGTH {
        let details =
            format!("path and query must be at most {MAX_TARGET_LENGTH} bytes together, got {length}");
        return Failure::new(StatusCode::URI_TOO_LONG, "request target too long", details).into_response();
    }
    next.run(request).await
}
