//! The closed loop: each client sends its next request when the one before is answered.
//!
//! Only operations that begin and end within the window count, so that warming up and winding down do not.

use std::future::Future;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cli::bench::WindowArgs;
use crate::client::error::CallError;
use crate::measure::errors::ErrorTable;
use crate::measure::latency::Latencies;

/// How long a client waits after an error: a coordinator that is down must not be hammered.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

/// One client.
pub trait LoadClient: Send + 'static {
    /// Sends one request and waits for its answer.
    fn call(&mut self) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Of operations that succeeded.
    pub latencies: Latencies,
    /// Of operations that did not.
    pub errors: ErrorTable,
    /// How long was measured.
    pub measured: Duration,
}

#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    to: Instant,
}

/// Runs the clients through warm-up and window; `stop` ends the window early.
///
/// # Errors
/// When a client panicked.
pub async fn closed_loop<C: LoadClient>(
    clients: Vec<C>,
    window: WindowArgs,
    stop: &CancellationToken,
) -> Result<Tally, JoinError> {
    let from = Instant::now() + window.warm_up;
    let to = from + window.duration;
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(drive(client, Window { from, to }, stop.clone()));
    }
    let mut total = Tally::default();
    while let Some(tally) = running.join_next().await {
        let Tally {
            latencies,
            errors,
            measured,
        } = tally?;
        total.latencies.merge(&latencies);
        total.errors.merge(&errors);
        total.measured = total.measured.max(measured);
    }
    Ok(total)
}

async fn drive<C: LoadClient>(mut client: C, window: Window, stop: CancellationToken) -> Tally {
    let mut tally = Tally::default();
    while !stop.is_cancelled() {
        let begin = Instant::now();
        if begin >= window.to {
            break;
        }
        let result = client.call().await;
        let end = Instant::now();
        let counts = begin >= window.from && end <= window.to;
        match result {
            Ok(()) if counts => tally.latencies.record(end - begin),
            Ok(()) => {}
            Err(error) => {
                if counts {
                    tally
                        .errors
                        .record(error.operation(), error.kind(), &error.to_string());
                }
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
    tally.measured = Instant::now()
        .min(window.to)
        .saturating_duration_since(window.from);
    tally
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::{LoadClient, closed_loop};
    use crate::cli::bench::WindowArgs;
    use crate::client::error::CallError;
    use crate::operation::Operation;

    /// Each call takes ten milliseconds of the paused clock; every tenth fails.
    struct Metronome {
        calls: u64,
    }

    impl LoadClient for Metronome {
        async fn call(&mut self) -> Result<(), CallError> {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.calls += 1;
            if self.calls.is_multiple_of(10) {
                let message = "tenth".to_owned();
                return Err(CallError::Refused {
                    operation: Operation::RegisterFile,
                    message,
                });
            }
            Ok(())
        }
    }

    fn clients() -> Vec<Metronome> {
        vec![Metronome { calls: 0 }, Metronome { calls: 0 }]
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_in_the_window_is_counted() {
        // Ten calls of 10 ms and a pause of 50 ms make a round; the first is the warm-up, four are measured.
        let window = WindowArgs {
            warm_up: Duration::from_millis(150),
            duration: Duration::from_millis(600),
        };
        let tally = closed_loop(clients(), window, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(tally.measured, window.duration);
        assert_eq!(tally.latencies.summary().count, 2 * 4 * 9);
        assert_eq!(tally.errors.total(), 2 * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bench_that_is_stopped_counts_until_then() {
        let stop = CancellationToken::new();
        let window = WindowArgs {
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(3600),
        };
        let stopper = async {
            tokio::time::sleep(Duration::from_millis(45)).await;
            stop.cancel();
        };
        let (tally, ()) = tokio::join!(closed_loop(clients(), window, &stop), stopper);
        let tally = tally.unwrap();
        assert_eq!(tally.latencies.summary().count, 2 * 5);
        assert_eq!(tally.measured, Duration::from_millis(50));
    }
}
