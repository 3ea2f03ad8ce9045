//! Reaching peers.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Status, Streaming};
use zephyrfs_proto::peer::peers_client::PeersClient;
use zephyrfs_proto::peer::{
    AppendReply, AppendRequest, ChangeClusterReply, ChangeClusterRequest, DescribeReply, DescribeRequest,
    FormReply, FormRequest, ForwardReply, ForwardRequest, GreetReply, GreetRequest, InstallReply,
    InstallRequest, JoinReply, JoinRequest, ReadIndexReply, ReadIndexRequest, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest,
};

use super::{CONNECTION_WINDOW, MAX_MESSAGE, STREAM_WINDOW};
use crate::peers::{Lane, PeerError, PeerService, Replies, Requests, Transport};

/// Reaches peers over gRPC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grpc;

#[async_trait]
impl Transport for Grpc {
    fn reach(&self, address: &str, _lane: Lane, patience: Duration) -> Arc<dyn PeerService> {
        let endpoint = match Endpoint::from_shared(format!("http://{address}")) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                return Arc::new(crate::peers::Nowhere(format!("{address} is no address: {error}")));
            }
        };
        // A dead peer must be noticed before an election is due: it is asked for a sign of life all the time, also while
        // nothing is sent.
        let channel = endpoint
            .tcp_nodelay(true)
            .connect_timeout(patience)
            .http2_keep_alive_interval(patience / 2)
            .keep_alive_timeout(patience)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .connect_lazy();
        let client = PeersClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Arc::new(RemotePeer(client))
    }

    async fn resolve(&self, name: &str) -> Result<Vec<String>, PeerError> {
        let found = tokio::net::lookup_host(name)
            .await
            .map_err(|error| PeerError::Unreachable(format!("{name} cannot be resolved: {error}")))?;
        let mut addresses: Vec<String> = found.map(|address| address.to_string()).collect();
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }
}

/// A replica at the other end of a connection.
struct RemotePeer(PeersClient<Channel>);

impl RemotePeer {
    fn client(&self) -> PeersClient<Channel> {
        self.0.clone()
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what map_err passes")]
fn error(status: Status) -> PeerError {
    let message = status.message().to_owned();
    match status.code() {
        Code::FailedPrecondition => PeerError::Stranger(message),
        Code::InvalidArgument => PeerError::Malformed(message),
        Code::Aborted => PeerError::Stopped(message),
        _ if was_not_connected(&status) => PeerError::Unreachable(format!("not connected: {message}")),
        code => PeerError::Broken(format!("{code:?}: {message}")),
    }
}

/// Whether there was no connection, so that nothing was sent.
fn was_not_connected(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Requests on their way out. A type of its own, since the compiler cannot follow the lifetimes of the boxed stream itself
/// through a call.
struct Outbound<T>(Requests<T>);

impl<T> Stream for Outbound<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_next_unpin(context)
    }
}

fn replies<T: Send + 'static>(stream: Streaming<T>) -> Replies<T> {
    Box::pin(stream.map(|reply| reply.map_err(error)))
}

#[async_trait]
impl PeerService for RemotePeer {
    async fn append(&self, requests: Requests<AppendRequest>) -> Result<Replies<AppendReply>, PeerError> {
        let answer = self.client().append(Outbound(requests)).await.map_err(error)?;
        Ok(replies(answer.into_inner()))
    }

    async fn vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError> {
        Ok(self.client().vote(request).await.map_err(error)?.into_inner())
    }

    async fn pre_vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError> {
        Ok(self.client().pre_vote(request).await.map_err(error)?.into_inner())
    }

    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest,
    ) -> Result<TransferLeaderReply, PeerError> {
        Ok(self
            .client()
            .transfer_leader(request)
            .await
            .map_err(error)?
            .into_inner())
    }

    async fn install(&self, requests: Requests<InstallRequest>) -> Result<Replies<InstallReply>, PeerError> {
        let answer = self.client().install(Outbound(requests)).await.map_err(error)?;
        Ok(replies(answer.into_inner()))
    }

    async fn read_index(&self, request: ReadIndexRequest) -> Result<ReadIndexReply, PeerError> {
        Ok(self
            .client()
            .read_index(request)
            .await
            .map_err(error)?
            .into_inner())
    }

    async fn forward(&self, requests: Requests<ForwardRequest>) -> Result<Replies<ForwardReply>, PeerError> {
        let answer = self.client().forward(Outbound(requests)).await.map_err(error)?;
        Ok(replies(answer.into_inner()))
    }

    async fn greet(&self, request: GreetRequest) -> Result<GreetReply, PeerError> {
        Ok(self.client().greet(request).await.map_err(error)?.into_inner())
    }

    async fn form(&self, request: FormRequest) -> Result<FormReply, PeerError> {
        Ok(self.client().form(request).await.map_err(error)?.into_inner())
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinReply, PeerError> {
        Ok(self.client().join(request).await.map_err(error)?.into_inner())
    }

    async fn describe(&self, request: DescribeRequest) -> Result<DescribeReply, PeerError> {
        Ok(self.client().describe(request).await.map_err(error)?.into_inner())
    }

    async fn change_cluster(&self, request: ChangeClusterRequest) -> Result<ChangeClusterReply, PeerError> {
        Ok(self
            .client()
            .change_cluster(request)
            .await
            .map_err(error)?
            .into_inner())
    }
}
