//! Heartbeats: one at a time, over a stream that stays open, since beginning one costs more than all else about them.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::channel::mpsc;
use zephyrfs_proto::peer::{AppendReply, AppendRequest};

use super::api::{PeerError, PeerService, Replies};

/// The heartbeats to one peer. The lock is there for the compiler alone, since openraft wants to share what holds this: it is
/// never waited for.
#[derive(Default)]
pub(super) struct Heartbeats(Mutex<Option<Open>>);

/// A stream on which every request was answered so far.
struct Open {
    service: Arc<dyn PeerService>,
    requests: mpsc::Sender<AppendRequest>,
    replies: Replies<AppendReply>,
}

impl Heartbeats {
    /// Sends one, and waits for its answer. Whoever gives up waiting closes the stream, so that no late answer is taken for
    /// that to a later heartbeat.
    ///
    /// # Errors
    /// Why there was no answer.
    pub(super) async fn send(
        &mut self,
        service: &Arc<dyn PeerService>,
        request: AppendRequest,
    ) -> Result<AppendReply, PeerError> {
        let kept = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let open = kept.take().filter(|open| Arc::ptr_eq(&open.service, service));
        if let Some(mut open) = open
            && open.requests.try_send(request.clone()).is_ok()
            && let Some(Ok(reply)) = open.replies.next().await
        {
            *kept = Some(open);
            return Ok(reply);
        }
        // The peer may have ended a stream that was idle, which says nothing of a new one.
        let mut open = Open::begin(service, request).await?;
        let reply = open.replies.next().await.unwrap_or_else(|| {
            let reason = "the stream of heartbeats ended without an answer";
            Err(PeerError::Broken(reason.to_owned()))
        })?;
        *kept = Some(open);
        Ok(reply)
    }
}

impl Open {
    async fn begin(service: &Arc<dyn PeerService>, first: AppendRequest) -> Result<Self, PeerError> {
        // A sender always has room for one, and none is sent before the last one is answered.
        let (requests, outbound) = mpsc::channel(0);
        // The peer looks at the first request before it answers at all.
        let outbound = futures::stream::iter([first]).chain(outbound);
        Ok(Self {
            replies: service.append(Box::pin(outbound)).await?,
            service: Arc::clone(service),
            requests,
        })
    }
}
