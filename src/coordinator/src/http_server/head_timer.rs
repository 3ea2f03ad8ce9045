//! When a connection is given up for want of a request: soon once a request has begun, later between two
//! requests.
//!
//! hyper has one timeout for both and starts it when the request before is done. With that alone, either a
//! slow client could hold a connection for as long as an idle one, or idle ones would be closed in the moment
//! their owner, a storage node that keeps a steady beat, sends the next request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// Whether bytes have come since the connection was last idle.
#[derive(Debug, Default)]
pub(super) struct Arrivals(AtomicBool);

impl Arrivals {
    /// Bytes came.
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The timer of one connection. hyper asks it for nothing but the time at which to give up waiting for a
/// head.
#[derive(Debug)]
pub(super) struct HeadTimer {
    arrivals: Arc<Arrivals>,
    header_timeout: Duration,
    idle_timeout: Duration,
    is_first: AtomicBool,
}

impl HeadTimer {
    /// The timer of a connection whose stream notes `arrivals`.
    pub(super) const fn new(
        arrivals: Arc<Arrivals>,
        header_timeout: Duration,
        idle_timeout: Duration,
    ) -> Self {
        Self {
            arrivals,
            header_timeout,
            idle_timeout,
            is_first: AtomicBool::new(true),
        }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    /// Waits until a head is overdue. hyper's own idea of when that is, which knows no idle time, is left
    /// aside.
    fn sleep_until(&self, _deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let is_first = self.is_first.swap(false, Ordering::Relaxed);
        self.arrivals.forget();
        let patience = if is_first {
            self.header_timeout
        } else {
            self.idle_timeout
        };
        Box::pin(HeadSleep {
            arrivals: Arc::clone(&self.arrivals),
            header_timeout: self.header_timeout,
            has_begun: is_first,
            sleep: Box::pin(tokio::time::sleep(patience)),
        })
    }
}

/// Ends when a head is overdue.
struct HeadSleep {
    arrivals: Arc<Arrivals>,
    header_timeout: Duration,
    /// Whether the time runs that a head may take.
    has_begun: bool,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // hyper polls this right after it has read what there was, so the time of the poll is that of the
        // first byte.
        if !self.has_begun && self.arrivals.any() {
            self.has_begun = true;
            let overdue = tokio::time::Instant::now() + self.header_timeout;
            self.sleep.as_mut().reset(overdue);
        }
        self.sleep.as_mut().poll(context)
    }
}

impl Sleep for HeadSleep {}
