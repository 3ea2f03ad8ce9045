//! When to stop: SIGTERM, or Ctrl-C.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for the first signal that asks the process to stop, and says which.
pub(super) async fn asked_to_stop() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
