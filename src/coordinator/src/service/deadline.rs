//! How long clients wait.

use std::time::{Duration, Instant};

/// How long a write waits for whom nobody set a deadline.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether it is too late to begin.
pub(super) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

/// How much time is left.
pub(super) fn left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(PATIENCE, |deadline| {
        deadline.saturating_duration_since(Instant::now())
    })
}

/// Waits until the deadline; `None` if it came first.
pub(super) async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}
