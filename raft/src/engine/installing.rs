//! Taking a whole state from the leader.

use std::sync::Arc;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use openraft::async_runtime::WatchReceiver;
use openraft::storage::Snapshot;
use openraft::type_config::AsyncRuntime;
use zephyrfs_proto::peer::install_reply::Step as Told;
use zephyrfs_proto::peer::install_request::Step;
use zephyrfs_proto::peer::{Ballot, InstallReply, InstallRequest, InstallStart};

use super::RaftEngine;
use crate::disk::Disk;
use crate::machine::{Position, ReceiveError, SnapshotId};
use crate::peers::{PeerError, Replies, Requests, wire};
use crate::state::LogIdRecord;

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Takes a state that arrives part by part, and installs it when it is complete.
    pub(super) fn take_snapshot(
        self: &Arc<Self>,
        mut requests: Requests<InstallRequest>,
    ) -> Replies<InstallReply> {
        let engine = Arc::clone(self);
        let (mut send, replies) = mpsc::channel(1);
        drop(R::spawn(async move {
            let answer = engine.receive(&mut requests, &mut send).await;
            let answer = answer.map(|ballot| InstallReply {
                step: Some(Told::Installed(ballot)),
            });
            if let Err(error) = &answer {
                tracing::debug!(%error, "A snapshot was not taken in");
            }
            // A leader that is gone needs no answer.
            drop(send.send(answer).await);
        }));
        Box::pin(replies)
    }

    async fn receive(
        &self,
        requests: &mut Requests<InstallRequest>,
        send: &mut mpsc::Sender<Result<InstallReply, PeerError>>,
    ) -> Result<Ballot, PeerError> {
        let Some(Step::Start(start)) = next(requests).await? else {
            return Err(wire::malformed("a snapshot does not begin with a start"));
        };
        let InstallStart { route, ballot, last } = start;
        let sender = self.whoami.check(route.as_ref())?;
        let vote = wire::vote_from::<R>(ballot)?;
        let applied = last.map(|last| LogIdRecord {
            term: last.term,
            index: last.index,
        });
        if applied.is_some_and(|applied| applied.index <= self.applied_index()) {
            // It is here already, maybe from an attempt whose answer was lost.
            let ours = self.raft.server_metrics().borrow_watched().vote;
            return Ok(wire::ballot::<R>(&ours));
        }
        let id = SnapshotId { sender, applied };
        let mut incoming = self.store.receive(id).await.map_err(refused)?;
        let resume = InstallReply {
            step: Some(Told::Resume(
                incoming.position().map(Position::encode).unwrap_or_default(),
            )),
        };
        let gone = |_| PeerError::Broken("the leader is gone".to_owned());
        send.send(Ok(resume)).await.map_err(gone)?;
        let view = loop {
            match next(requests).await? {
                Some(Step::Rows(rows)) => incoming.take(rows).await.map_err(refused)?,
                Some(Step::End(end)) => break incoming.finish(end).await.map_err(refused)?,
                Some(Step::Start(_)) => return Err(wire::malformed("a snapshot begins twice")),
                None => return Err(PeerError::Broken("a snapshot ended early".to_owned())),
            }
        };
        let meta = view
            .meta::<R>()
            .map_err(|error| PeerError::Stopped(error.to_string()))?;
        let index = meta.last_log_id.map(|last| last.index);
        tracing::info!(index, "Installing a snapshot from the leader");
        let installed = self
            .raft
            .install_full_snapshot(vote, Snapshot { meta, snapshot: view })
            .await;
        let response = installed.map_err(|fatal| PeerError::Stopped(fatal.to_string()))?;
        Ok(wire::ballot::<R>(&response.vote))
    }
}

async fn next(requests: &mut Requests<InstallRequest>) -> Result<Option<Step>, PeerError> {
    match requests.next().await {
        None => Ok(None),
        Some(InstallRequest { step: Some(step) }) => Ok(Some(step)),
        Some(InstallRequest { step: None }) => Err(wire::malformed("a part of a snapshot is empty")),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err passes")]
fn refused(error: ReceiveError) -> PeerError {
    match error {
        ReceiveError::Unsound(_) => PeerError::Malformed(error.to_string()),
        ReceiveError::Stopping => PeerError::Stopped(error.to_string()),
        ReceiveError::Superseded
        | ReceiveError::Busy
        | ReceiveError::Discarded(_)
        | ReceiveError::Store(_) => PeerError::Broken(error.to_string()),
    }
}
