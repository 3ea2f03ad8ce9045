//! Answers whoever proposed a command, once openraft is through with it.
//!
//! It holds what the command was admitted with, so that a command counts for as long as it takes memory, even if nobody waits
//! for its answer any more. openraft calls it; the engine makes one for each command.

use openraft::OptionalSend;
use openraft::async_runtime::OneshotSender;
use openraft::raft::responder::Responder;
use openraft::type_config::AsyncRuntime;
use openraft::type_config::TypeConfigExt;
use openraft::type_config::alias::{OneshotReceiverOf, OneshotSenderOf};
use tokio::sync::OwnedSemaphorePermit;

use crate::types::Types;

/// Tells what came of a command, and gives its place back.
pub struct Answering<R: AsyncRuntime, T: OptionalSend> {
    tell: OneshotSenderOf<Types<R>, T>,
    admitted: OwnedSemaphorePermit,
}

impl<R: AsyncRuntime, T: OptionalSend> Answering<R, T> {
    /// For a command with this place, and what its answer comes from.
    pub(crate) fn new(admitted: OwnedSemaphorePermit) -> (Self, OneshotReceiverOf<Types<R>, T>) {
        let (tell, told) = Types::<R>::oneshot();
        (Self { tell, admitted }, told)
    }
}

impl<R: AsyncRuntime, T: OptionalSend + 'static> Responder<Types<R>, T> for Answering<R, T> {
    fn on_complete(self, result: T) {
        let Self { tell, admitted } = self;
        drop(admitted);
        // Whoever proposed the command may have given up.
        drop(tell.send(result));
    }
}
