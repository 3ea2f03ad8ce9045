//! Answers whoever proposed a command, once openraft is through with it.
//!
//! It holds what the command was admitted with, so that a command counts for as long as it takes memory, even if nobody waits
//! for its answer any more. openraft calls it; the engine makes one for each command.

use std::sync::Arc;

use openraft::async_runtime::{Oneshot, OneshotSender};
use openraft::raft::responder::Responder;
use openraft::type_config::AsyncRuntime;
use openraft::{OptionalSend, RaftTypeConfig};
use tokio::sync::OwnedSemaphorePermit;

type Sender<R, T> = <<R as AsyncRuntime>::Oneshot as Oneshot>::Sender<T>;
type Receiver<R, T> = <<R as AsyncRuntime>::Oneshot as Oneshot>::Receiver<T>;

/// Tells what came of a command, and gives its place back.
pub struct Answering<R: AsyncRuntime, T: OptionalSend> {
    tell: Sender<R, T>,
    admitted: Arc<OwnedSemaphorePermit>,
}

impl<R: AsyncRuntime, T: OptionalSend> Answering<R, T> {
    /// For a command with this place, and what its answer comes from.
    pub(crate) fn new(admitted: Arc<OwnedSemaphorePermit>) -> (Self, Receiver<R, T>) {
        let (tell, told) = R::Oneshot::channel();
        (Self { tell, admitted }, told)
    }
}

impl<C, T> Responder<C, T> for Answering<C::AsyncRuntime, T>
where
    C: RaftTypeConfig,
    T: OptionalSend + 'static,
{
    fn on_complete(self, result: T) {
        let Self { tell, admitted } = self;
        drop(admitted);
        // Whoever proposed the command may have given up.
        drop(tell.send(result));
    }
}
