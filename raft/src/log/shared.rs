//! What the log's users and its writer share.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures::channel::oneshot;
use openraft::type_config::AsyncRuntime;

use super::tail::Tail;
use super::write::{Change, Waiting, Write};
use crate::error::StoreError;
use crate::queue::Queue;

/// What the log's users and its writer share.
pub(super) struct Shared<R: AsyncRuntime> {
    tail: RwLock<Tail<R>>,
    pub(super) queue: Queue<Write<R>>,
    failed: Mutex<Option<String>>,
    closing: Mutex<Closing>,
    /// Bytes appended since somebody asked.
    growth_bytes: AtomicU64,
}

/// Whether the writer has ended, and who waits for that.
#[derive(Default)]
struct Closing {
    is_closed: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<R: AsyncRuntime> Shared<R> {
    /// Of a log that ends like this.
    pub(super) fn new(tail: Tail<R>) -> Self {
        Self {
            tail: RwLock::new(tail),
            queue: Queue::default(),
            failed: Mutex::new(None),
            closing: Mutex::default(),
            growth_bytes: AtomicU64::new(0),
        }
    }

    pub(super) fn tail(&self) -> RwLockReadGuard<'_, Tail<R>> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tail_mut(&self) -> RwLockWriteGuard<'_, Tail<R>> {
        self.tail.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes were appended.
    pub(super) fn grew(&self, bytes: usize) {
        self.growth_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes appended since this was last asked.
    pub(super) fn growth(&self) -> u64 {
        self.growth_bytes.swap(0, Ordering::Relaxed)
    }

    /// The writer failed, and why.
    pub(super) fn fail(&self, reason: String) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Fails if the writer did, with its reason.
    pub(super) fn check(&self) -> io::Result<()> {
        match &*self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => Err(StoreError::Stopped(reason.clone()).into()),
            None => Ok(()),
        }
    }

    /// Hands a change to the writer; without one, the writer only tells when everything before is durable.
    pub(super) fn push(
        &self,
        change: impl Into<Option<Change<R>>>,
        waiting: Option<Waiting<R>>,
    ) -> io::Result<()> {
        let change = change.into();
        self.check()?;
        // The queue closes when the replica stops or the writer failed; whoever waits is told either way.
        if let Err(refused) = self.queue.push(Write { change, waiting }) {
            let reason = "the log is closed";
            if let Some(waiting) = refused.waiting {
                waiting.tell(Some(reason));
            }
            return Err(StoreError::Stopped(reason.to_owned()).into());
        }
        Ok(())
    }

    /// The writer has ended and given the database back.
    pub(super) fn closed(&self) {
        let mut closing = self.closing();
        closing.is_closed = true;
        for waiting in closing.waiting.drain(..) {
            // Whoever waited may have given up.
            let _ = waiting.send(());
        }
    }

    /// Waits until the writer has ended.
    pub(super) async fn until_closed(&self) {
        let (tell, told) = oneshot::channel();
        {
            let mut closing = self.closing();
            if closing.is_closed {
                return;
            }
            closing.waiting.push(tell);
        }
        // An error means that the writer is gone, which is what was waited for.
        let _ = told.await;
    }

    fn closing(&self) -> MutexGuard<'_, Closing> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
