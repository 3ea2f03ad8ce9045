//! Writes to the log, and whoever waits for them.

use std::io;

use futures::channel::oneshot;
use openraft::storage::IOFlushed;
use openraft::type_config::AsyncRuntime;

use super::{Entry, Identity, LogId, Vote};
use crate::error::StoreError;
use crate::types::Types;

/// A write on its way to the disk, with whoever waits for it.
pub(super) struct Write<R: AsyncRuntime> {
    /// None for whoever only waits until everything before is durable.
    pub(super) change: Option<Change<R>>,
    pub(super) waiting: Option<Waiting<R>>,
}

/// A change of the log.
pub(super) enum Change<R: AsyncRuntime> {
    /// Entries behind the last one.
    Append(Vec<Entry<R>>),
    /// A vote.
    Vote(Vote<R>),
    /// Who this replica is.
    Identity(Identity),
    /// Entries after an index are void.
    Truncate(Option<LogId<R>>),
    /// Entries up to an index are no longer needed.
    Purge(LogId<R>),
}

/// Whom to tell, once a change is durable.
pub(super) enum Waiting<R: AsyncRuntime> {
    /// openraft, of entries.
    Append(IOFlushed<Types<R>>),
    /// Whoever saves a vote or an identity, or waits for everything before.
    Value(oneshot::Sender<Result<(), StoreError>>),
}

impl<R: AsyncRuntime> Waiting<R> {
    /// Says that it is durable, or why it is not.
    pub(super) fn tell(self, failure: Option<&str>) {
        match self {
            Self::Append(flushed) => flushed.io_completed(match failure {
                None => Ok(()),
                Some(reason) => Err(io::Error::other(reason.to_owned())),
            }),
            Self::Value(told) => {
                let result = failure.map_or(Ok(()), |reason| Err(StoreError::Stopped(reason.to_owned())));
                // Whoever asked may be gone by now, and then needs no answer.
                drop(told.send(result));
            }
        }
    }
}
