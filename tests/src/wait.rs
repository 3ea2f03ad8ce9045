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
pub async fn until<T>(reason: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    until_told(reason, async || condition().await.ok_or("it is not so")).await
}

/// Looks at a condition that says what is missing, again and again until nothing is.
///
/// # Panics
/// With `reason`, and what is missing, when that takes longer than a minute.
#[allow(clippy::panic, reason = "a wait in vain is a failed test")]
pub async fn until_told<T, E: std::fmt::Display>(
    reason: &str,
    mut condition: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        match condition().await {
            Ok(value) => return value,
            Err(missing) if Instant::now() > deadline => {
                panic!("waited in vain for a minute: {reason}; at the end {missing}")
            }
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}
