//! How a run is told to end: the first Ctrl-C or SIGTERM asks it to finish, the second to drop everything.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two stages of stopping, shared by everything that runs.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Start nothing new; then report (and verify, if that was asked for).
    pub finish: CancellationToken,
    /// Report at once, with what there is.
    pub abandon: CancellationToken,
}

impl Shutdown {
    /// Ends with the process's signals.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Shutdown::default();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stages = [shutdown.finish.clone(), shutdown.abandon.clone()];
        tokio::spawn(async move {
            for stage in stages {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                stage.cancel();
            }
        });
        Ok(shutdown)
    }
}
