//! Warns when an answer took long.

use std::time::{Duration, Instant};

use axum::http::Uri;
use tracing::warn;

/// What counts as long.
const SLOW: Duration = Duration::from_secs(1);

/// Measures one request.
pub(in crate::api::grpc) struct Stopwatch {
    uri: Uri,
    start: Instant,
}

impl Stopwatch {
    /// A request for this begins.
    pub(in crate::api::grpc) fn start(uri: &Uri) -> Self {
        Self {
            uri: uri.clone(),
            start: Instant::now(),
        }
    }

    /// The request is answered: warns if that took long.
    pub(in crate::api::grpc) fn stop(&self) {
        let elapsed = self.start.elapsed();
        if elapsed >= SLOW {
            warn!(
                path = self.uri.path(),
                duration_ms = elapsed.as_millis() as u64,
                "Slow API response"
            );
        }
    }
}
