//! Writes to the log, and whoever waits for them.

use std::io;

use futures::channel::oneshot;
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
    Vote(Vote<R>, oneshot::Sender<Result<(), StoreError>>),
    /// Entries after an index are void.
    Truncate(Option<LogId<R>>),
    /// Entries up to an index are no longer needed.
    Purge(LogId<R>),
}

/// Whom to tell what, once a commit is durable.
pub(super) enum Waiting<R: AsyncRuntime> {
    Append(IOFlushed<Types<R>>),
    Vote(oneshot::Sender<Result<(), StoreError>>),
}

impl<R: AsyncRuntime> Write<R> {
    /// Tells whoever waits that the write will not happen.
    pub(super) fn refuse(self, reason: &str) {
        match self {
            Self::Append(_, flushed) => Waiting::<R>::Append(flushed).tell(Some(reason)),
            Self::Vote(_, told) => Waiting::<R>::Vote(told).tell(Some(reason)),
            Self::Truncate(_) | Self::Purge(_) => {}
        }
    }
}

impl<R: AsyncRuntime> Waiting<R> {
    /// Says that it is durable, or why it is not.
    pub(super) fn tell(self, failure: Option<&str>) {
        match self {
            Self::Append(flushed) => flushed.io_completed(match failure {
                None => Ok(()),
                Some(reason) => Err(io::Error::other(reason.to_owned())),
            }),
            Self::Vote(told) => {
                let result = failure.map_or(Ok(()), |reason| Err(StoreError::Stopped(reason.to_owned())));
                // Whoever asked may be gone by now, and then needs no answer.
                drop(told.send(result));
            }
        }
    }
}
