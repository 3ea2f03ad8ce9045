//! The accept loop, and the end of it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ServerOptions;
use super::connection::{self, Stop};
use crate::service::throttle::Throttle;

/// How long to wait after the system refused to hand out a connection, most often for want of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often a condition that lasts is logged.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// Serves `app` until `shutdown` is cancelled; then takes no further connection, closes the idle ones, lets
/// requests finish for as long as the options allow, and returns.
pub async fn serve(listener: TcpListener, app: Router, options: ServerOptions, shutdown: CancellationToken) {
    let options = Arc::new(options);
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let connections = TaskTracker::new();
    let reminders = Throttle::new(REMIND_EVERY);
    let stop = Stop {
        gently: shutdown.clone(),
        at_once: CancellationToken::new(),
    };
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, slot)) => {
                let (app, options, stop) = (app.clone(), Arc::clone(&options), stop.clone());
                connections.spawn(async move {
                    connection::serve(stream, app, &options, &stop).await;
                    drop(slot);
                });
            }
            Err(error) if is_of_the_client(&error) => {
                tracing::debug!(listener = options.name, %error, "Connection ended before it began");
            }
            Err(error) => {
                if reminders.lets_pass(Instant::now()) {
                    tracing::warn!(listener = options.name, %error, "Cannot accept connections; trying again");
                }
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    () = shutdown.cancelled() => break,
                }
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(options.drain_timeout, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            listener = options.name,
            connections = connections.len(),
            "Requests did not finish in time; closing their connections"
        );
        stop.at_once.cancel();
        connections.wait().await;
    }
}

/// The next connection, once there is a slot for it: until then it stays in the kernel's queue, which is
/// bounded too.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

/// Whether an error of accepting concerns that one connection only.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
