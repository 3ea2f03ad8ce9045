//! The log that a state is made from, as far as the state must wait for it.

use futures::FutureExt;
use futures::future::BoxFuture;
use openraft::type_config::AsyncRuntime;

use crate::error::StoreError;
use crate::log::LogStore;

/// The log that a state is made from.
///
/// Entries are applied as soon as they are committed, which others can see to before they are on this disk; and on this
/// disk there may still be entries of a lost leader under the same indexes. A state that became durable before the log did
/// away with those would contradict its log after a crash, and the replica could not start.
pub(crate) trait LogBelow: Send + Sync {
    /// Waits until everything that was handed to the log so far is durable.
    fn until_durable(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

impl<R: AsyncRuntime> LogBelow for LogStore<R> {
    fn until_durable(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Self::until_durable(self).boxed()
    }
}

/// For a state without a log, in tests.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(crate) struct NoLog;

#[cfg(test)]
impl LogBelow for NoLog {
    fn until_durable(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        futures::future::ready(Ok(())).boxed()
    }
}
