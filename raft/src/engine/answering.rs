//! This replica, as its peers see it.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::engine::EngineError;
use zephyrfs_proto::peer::{
    AppendReply, AppendRequest, ChangeClusterReply, ChangeClusterRequest, DescribeReply, DescribeRequest,
    FormReply, FormRequest, ForwardReply, ForwardRequest, GreetReply, GreetRequest, InstallReply,
    InstallRequest, JoinReply, JoinRequest, ReadIndexReply, ReadIndexRequest, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest, append_reply, read_index_reply,
};

use super::RaftEngine;
use crate::disk::Disk;
use crate::peers::{PeerError, PeerService, Replies, Requests, wire};

/// Answers peers in an engine's name.
pub(super) struct Answering<R: AsyncRuntime, D>(pub(super) Arc<RaftEngine<R, D>>);

fn stopped(error: &dyn std::fmt::Display) -> PeerError {
    PeerError::Stopped(format!("this replica stops: {error}"))
}

#[async_trait]
impl<R: AsyncRuntime, D: Disk> PeerService for Answering<R, D>
where
    R::Instant: Sync,
{
    async fn append(&self, requests: Requests<AppendRequest>) -> Result<Replies<AppendReply>, PeerError> {
        let mut requests = requests.peekable();
        if let Some(first) = Pin::new(&mut requests).peek().await {
            self.0.whoami.check(first.route.as_ref())?;
        }
        let whoami = Arc::clone(&self.0.whoami);
        let readable = requests.scan((), move |(), request| {
            let read = whoami
                .check(request.route.as_ref())
                .and_then(|_| wire::append_from::<R>(request));
            // The stream ends here, and the leader begins another.
            let read = read.inspect_err(|error| tracing::warn!(%error, "Entries from a peer are refused"));
            std::future::ready(read.ok())
        });
        let contact = Arc::clone(&self.0.contact);
        let replies = self.0.raft.stream_append(readable).map(move |result| {
            let reply = wire::appended::<R>(&result.map_err(|fatal| stopped(&fatal))?);
            if !matches!(reply.outcome, Some(append_reply::Outcome::Higher(_))) {
                contact.heard();
            }
            Ok(reply)
        });
        Ok(Box::pin(replies))
    }

    async fn vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError> {
        self.0.whoami.check(request.route.as_ref())?;
        let response = self.0.raft.vote(wire::vote_request_from::<R>(&request)?).await;
        Ok(wire::voted::<R>(&response.map_err(|error| stopped(&error))?))
    }

    async fn pre_vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError> {
        self.0.whoami.check(request.route.as_ref())?;
        let response = self
            .0
            .raft
            .pre_vote(wire::vote_request_from::<R>(&request)?)
            .await;
        Ok(wire::voted::<R>(&response.map_err(|error| stopped(&error))?))
    }

    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest,
    ) -> Result<TransferLeaderReply, PeerError> {
        self.0.whoami.check(request.route.as_ref())?;
        let request = wire::transfer_from::<R>(&request)?;
        let result = self.0.raft.handle_transfer_leader(request).await;
        Ok(wire::transferred::<R>(&result.map_err(|error| stopped(&error))?))
    }

    async fn install(&self, requests: Requests<InstallRequest>) -> Result<Replies<InstallReply>, PeerError> {
        Ok(self.0.take_snapshot(requests))
    }

    async fn read_index(&self, request: ReadIndexRequest) -> Result<ReadIndexReply, PeerError> {
        self.0.whoami.check(request.route.as_ref())?;
        let outcome = match self.0.read_index().await {
            Ok(index) => read_index_reply::Outcome::Index(index),
            Err(EngineError::Failed { reason }) => return Err(PeerError::Stopped(reason)),
            Err(error) => read_index_reply::Outcome::Unavailable(error.to_string()),
        };
        Ok(ReadIndexReply {
            outcome: Some(outcome),
        })
    }

    async fn forward(&self, requests: Requests<ForwardRequest>) -> Result<Replies<ForwardReply>, PeerError> {
        self.0.take_forwarded(requests).await
    }

    async fn greet(&self, request: GreetRequest) -> Result<GreetReply, PeerError> {
        Ok(self.0.greeted(&request))
    }

    async fn form(&self, request: FormRequest) -> Result<FormReply, PeerError> {
        Ok(self.0.adopt(request).await)
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinReply, PeerError> {
        Ok(self.0.take_in(request).await)
    }

    async fn describe(&self, request: DescribeRequest) -> Result<DescribeReply, PeerError> {
        self.0.whoami.check(request.route.as_ref())?;
        Ok(self.0.described())
    }

    async fn change_cluster(&self, request: ChangeClusterRequest) -> Result<ChangeClusterReply, PeerError> {
        self.0.whoami.check(request.route.as_ref())?;
        Ok(self.0.change_for_peer(request).await)
    }
}
