//! The one queue of writes to the log, in the order in which they must reach the disk.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use openraft::storage::IOFlushed;
use openraft::type_config::AsyncRuntime;

use super::{Entry, LogId, Vote};
use crate::error::StoreError;
use crate::types::Types;

/// A write to the log.
pub(super) enum Write<R: AsyncRuntime> {
    /// Entries behind the last one, and whom to tell when they are durable.
    Append(Vec<Entry<R>>, IOFlushed<Types<R>>),
    /// A vote, and whom to tell when it is durable.
    Vote(Vote<R>, futures::channel::oneshot::Sender<Result<(), StoreError>>),
    /// Entries after an index are void.
    Truncate(Option<LogId<R>>),
    /// Entries up to an index are no longer needed.
    Purge(LogId<R>),
}

/// Writes that wait for the writer.
pub(super) struct Queue<R: AsyncRuntime>(Mutex<Inner<R>>);

struct Inner<R: AsyncRuntime> {
    writes: Vec<Write<R>>,
    closed: bool,
    waker: Option<Waker>,
}

impl<R: AsyncRuntime> Default for Queue<R> {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            writes: Vec::new(),
            closed: false,
            waker: None,
        }))
    }
}

impl<R: AsyncRuntime> Queue<R> {
    /// Adds a write.
    pub(super) fn push(&self, write: Write<R>) {
        let waker = {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.writes.push(write);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// No more writes come: the writer ends when it has written what there is.
    pub(super) fn close(&self) {
        let waker = {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.closed = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Everything that waits; waits itself until there is something, unless told not to. `None` when the queue is closed
    /// and empty.
    pub(super) async fn take_all(&self, wait: bool) -> Option<Vec<Write<R>>> {
        poll_fn(|context| {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !inner.writes.is_empty() || !wait {
                return Poll::Ready(Some(std::mem::take(&mut inner.writes)));
            }
            if inner.closed {
                return Poll::Ready(None);
            }
            inner.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
