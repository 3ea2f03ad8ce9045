//! Sending a whole state to a peer, part by part. A connection that breaks does not start it over: the peer says how far it
//! came.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use openraft::raft::SnapshotResponse;
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{SnapshotOf, VoteOf};
use zephyrfs_proto::peer::install_reply::Step as Told;
use zephyrfs_proto::peer::install_request::Step;
use zephyrfs_proto::peer::{InstallReply, InstallRequest, InstallStart};

use super::api::{PeerError, PeerService, Replies};
use super::identity::Whoami;
use super::wire;
use crate::machine::{Part, Position, SnapshotView};
use crate::types::Types;

/// A peer that takes no part, or gives no answer, for so long is given up. Installing is part of the last answer.
const IDLE: Duration = Duration::from_secs(30);

/// Attempts that brought the peer no further, until openraft decides anew what to send.
const MAX_FRUITLESS: u32 = 5;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// What a state is sent with.
pub(super) struct Sending<'a, R: AsyncRuntime> {
    pub(super) whoami: &'a Whoami<R>,
    pub(super) target: u64,
    pub(super) vote: VoteOf<Types<R>>,
    pub(super) snapshot: &'a SnapshotOf<Types<R>, SnapshotView>,
}

impl<R: AsyncRuntime> Sending<'_, R> {
    /// Sends it, through broken connections, until the peer has installed it or refused.
    pub(super) async fn until_installed(
        &self,
        service: &Arc<dyn PeerService>,
    ) -> Result<SnapshotResponse<Types<R>>, PeerError> {
        let mut fruitless = 0;
        let mut reached: Option<Vec<u8>> = None;
        loop {
            let mut began_after = None;
            let error = match self.attempt(service, &mut began_after).await {
                Ok(vote) => return Ok(SnapshotResponse::new(vote)),
                Err(error) => error,
            };
            // What counts is how far the peer says it is: one that throws away what it got is not sent to for ever.
            let is_further = began_after
                .as_ref()
                .is_some_and(|after| Some(after) != reached.as_ref());
            fruitless = if is_further { 0 } else { fruitless + 1 };
            reached = began_after.or(reached);
            if fruitless >= MAX_FRUITLESS {
                return Err(error);
            }
            tracing::debug!(%error, "Sending a snapshot was cut off and goes on");
            R::sleep(PAUSE).await;
        }
    }

    async fn attempt(
        &self,
        service: &Arc<dyn PeerService>,
        began_after: &mut Option<Vec<u8>>,
    ) -> Result<VoteOf<Types<R>>, PeerError> {
        let (mut send, requests) = mpsc::channel(0);
        let start = Step::Start(InstallStart {
            route: Some(self.whoami.route_to(self.target)),
            ballot: Some(wire::ballot::<R>(&self.vote)),
            last: self.snapshot.meta.last_log_id.as_ref().map(wire::log_id::<R>),
        });
        // The channel holds one; the call takes it out.
        send.try_send(InstallRequest { step: Some(start) })
            .map_err(|error| PeerError::Broken(error.to_string()))?;
        let mut replies = soon::<R, _>(service.install(Box::pin(requests))).await??;
        let after = match told::<R>(&mut replies).await? {
            Told::Resume(after) => after,
            Told::Installed(ballot) => return wire::vote_from::<R>(Some(ballot)),
        };
        *began_after = Some(after.clone());
        let after = if after.is_empty() {
            None
        } else {
            let position = Position::decode(&after);
            Some(position.map_err(|error| PeerError::Malformed(error.to_string()))?)
        };
        let read = |error: crate::error::StoreError| PeerError::Stopped(error.to_string());
        let mut parts = self.snapshot.snapshot.parts(after).map_err(read)?;
        while let Some(part) = parts.next().await {
            let step = match part.map_err(read)? {
                Part::Rows(bytes) => Step::Rows(bytes),
                Part::End(bytes) => Step::End(bytes),
            };
            let taken = soon::<R, _>(send.send(InstallRequest { step: Some(step) })).await?;
            if taken.is_err() {
                // The peer ended the stream; its answer says why.
                break;
            }
        }
        match told::<R>(&mut replies).await? {
            Told::Installed(ballot) => wire::vote_from::<R>(Some(ballot)),
            Told::Resume(_) => Err(wire::malformed("a snapshot was answered out of turn")),
        }
    }
}

async fn told<R: AsyncRuntime>(replies: &mut Replies<InstallReply>) -> Result<Told, PeerError> {
    let reply = soon::<R, _>(replies.next()).await?;
    let reply = reply.ok_or_else(|| PeerError::Broken("the stream of a snapshot ended early".to_owned()))?;
    reply?.step.ok_or_else(|| wire::malformed("it says nothing"))
}

/// Waits for a peer, within bounds.
async fn soon<R: AsyncRuntime, F: Future + Send>(peer: F) -> Result<F::Output, PeerError>
where
    F::Output: Send,
{
    R::timeout(IDLE, peer)
        .await
        .map_err(|_| PeerError::Broken(format!("nothing came for {} s", IDLE.as_secs())))
}
