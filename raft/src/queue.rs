//! A queue whose reader takes everything that waits at once: what lets many writes share one sync.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Things that wait for one worker. It has no bound of its own: whoever adds to it is bounded.
pub(crate) struct Queue<T>(Mutex<Inner<T>>);

struct Inner<T> {
    waiting: Vec<T>,
    closed: bool,
    waker: Option<Waker>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            waiting: Vec::new(),
            closed: false,
            waker: None,
        }))
    }
}

impl<T> Queue<T> {
    /// Adds a thing; gives it back if the queue is closed.
    pub(crate) fn push(&self, thing: T) -> Result<(), T> {
        self.change(|inner| {
            if inner.closed {
                return Err(thing);
            }
            inner.waiting.push(thing);
            Ok(())
        })
    }

    /// Nothing more comes: the worker ends when it has done what there is.
    pub(crate) fn close(&self) {
        self.change(|inner| inner.closed = true);
    }

    /// Nothing more comes, and the worker is gone: what it left.
    pub(crate) fn end(&self) -> Vec<T> {
        self.change(|inner| {
            inner.closed = true;
            std::mem::take(&mut inner.waiting)
        })
    }

    /// Everything that waits. With `wait`, waits itself until there is something. `None` when the queue is closed and empty.
    pub(crate) async fn take_all(&self, wait: bool) -> Option<Vec<T>> {
        poll_fn(|context| {
            let mut inner = self.lock();
            if !inner.waiting.is_empty() {
                return Poll::Ready(Some(std::mem::take(&mut inner.waiting)));
            }
            if inner.closed {
                return Poll::Ready(None);
            }
            if !wait {
                return Poll::Ready(Some(Vec::new()));
            }
            inner.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<A>(&self, change: impl FnOnce(&mut Inner<T>) -> A) -> A {
        let (answer, waker) = {
            let mut inner = self.lock();
            (change(&mut inner), inner.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        answer
    }
}
