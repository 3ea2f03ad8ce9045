//! Whether the runtime still runs its tasks: a task that beats, and how long ago it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// How often the task beats.
const INTERVAL: Duration = Duration::from_secs(1);

/// Silence after which the runtime counts as stuck. Far above what a starved processor or a slow disk
/// explains: a restart would not help against those.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// The beat of the runtime. Clones share it.
#[derive(Debug, Clone)]
pub struct Pulse {
    start: Instant,
    /// Milliseconds from `start` to the last beat.
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// A pulse that has beaten just now.
    pub fn begin() -> Self {
        Self {
            start: Instant::now(),
            last: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Beats until `stop` is cancelled.
    pub async fn beat_until(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(elapsed, Ordering::Relaxed);
        }
    }

    /// How long ago it beat.
    pub(super) fn age(&self) -> Duration {
        self.start
            .elapsed()
            .saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    /// Whether an age means that the runtime is stuck.
    pub(super) const fn is_stuck(age: Duration) -> bool {
        age.as_millis() > STUCK_AFTER.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::{Pulse, STUCK_AFTER};

    #[tokio::test]
    async fn a_running_task_keeps_the_pulse_young() {
        let pulse = Pulse {
            start: std::time::Instant::now() - Duration::from_secs(100),
            ..Pulse::begin()
        };
        assert!(Pulse::is_stuck(pulse.age()));
        let stop = CancellationToken::new();
        let beating = tokio::spawn({
            let (pulse, stop) = (pulse.clone(), stop.clone());
            async move { pulse.beat_until(stop).await }
        });
        while pulse.age() > Duration::from_secs(10) {
            tokio::task::yield_now().await;
        }
        assert!(!Pulse::is_stuck(pulse.age()));
        stop.cancel();
        beating.await.unwrap();
    }

    #[test]
    fn starvation_for_seconds_is_no_death() {
        assert!(!Pulse::is_stuck(Duration::from_secs(20)));
        assert!(Pulse::is_stuck(STUCK_AFTER + Duration::from_millis(1)));
    }
}
