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

/// When to come to an end with what there is, so that there is time for an answer: when nine tenths of the time that is left
/// are over.
pub(super) fn nearly(deadline: Option<Instant>) -> Option<Instant> {
    let time = left(deadline);
    deadline.map(|deadline| deadline.checked_sub(time / 10).unwrap_or(deadline))
}

/// Waits until the deadline; `None` if it came first.
pub(super) async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}
