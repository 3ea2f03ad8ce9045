//! What the worker of the state is asked to do.

use futures::channel::oneshot;

use super::snapshot::SnapshotView;
use crate::error::StoreError;
use crate::state::Header;

/// Something to write, and whom to tell when it is durable.
pub(crate) enum Job {
    /// Everything applied so far.
    Flush(Option<oneshot::Sender<Result<(), StoreError>>>),
    /// Everything applied so far, and then nothing more.
    Close(oneshot::Sender<Result<(), StoreError>>),
    /// Another state in place of this one.
    Install(
        Box<SnapshotView>,
        Box<Header>,
        oneshot::Sender<Result<(), StoreError>>,
    ),
}

impl Job {
    /// Says that it will not be done.
    pub(super) fn refuse(self, reason: &str) {
        match self {
            Self::Flush(None) => {}
            Self::Flush(Some(tell)) | Self::Close(tell) | Self::Install(_, _, tell) => {
                answer(tell, Some(reason))
            }
        }
    }
}

/// Tells whoever asked that a job is done, or why it is not.
pub(super) fn answer(tell: oneshot::Sender<Result<(), StoreError>>, reason: Option<&str>) {
    let result = reason.map_or(Ok(()), |reason| Err(StoreError::Stopped(reason.to_owned())));
    // Whoever asked may be gone by now, and then needs no answer.
    drop(tell.send(result));
}
