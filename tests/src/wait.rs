//! Waiting for a condition.

use std::time::Duration;

use tokio::time::Instant;

/// How long a condition may take to come true on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked at.
const STEP: Duration = Duration::from_millis(20);

/// Looks at a condition again and again until it gives something.
///
/// # Panics
/// With `reason` when it has not after a minute.
#[allow(clippy::panic, reason = "a wait in vain is a failed test")]
pub async fn until<T>(reason: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        if Instant::now() > deadline {
            panic!("waited in vain for a minute: {reason}");
        }
        tokio::time::sleep(STEP).await;
    }
}
