//! Answering peers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};
use zephyrfs_proto::peer::peers_server::{Peers, PeersServer};
use zephyrfs_proto::peer::{
    AppendReply, AppendRequest, ChangeClusterReply, ChangeClusterRequest, DescribeReply, DescribeRequest,
    FormReply, FormRequest, ForwardReply, ForwardRequest, GreetReply, GreetRequest, InstallReply,
    InstallRequest, JoinReply, JoinRequest, ReadIndexReply, ReadIndexRequest, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest,
};

use super::{CONNECTION_WINDOW, MAX_MESSAGE, STREAM_WINDOW};
use crate::peers::{PeerError, PeerService, Replies};

/// Requests that one connection may have open at a time. A peer needs a handful.
const MAX_STREAMS: u32 = 256;

/// A connection whose other end gives no sign of life for so long is closed.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Serves peers over `connections` until `stop` ends, and then for as long as they hold on, but no longer than the caller.
///
/// # Errors
/// If the transport fails.
pub async fn serve_peers<C>(
    connections: impl Stream<Item = io::Result<C>> + Send,
    service: Arc<dyn PeerService>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let service = PeersServer::new(Local(service))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(service)
        .serve_with_incoming_shutdown(connections, stop)
        .await
}

/// This replica, for whoever is at the other end of a connection.
struct Local(Arc<dyn PeerService>);

fn status(error: PeerError) -> Status {
    match error {
        PeerError::Stranger(message) => Status::failed_precondition(message),
        PeerError::Malformed(message) => Status::invalid_argument(message),
        PeerError::Stopped(message) => Status::aborted(message),
        PeerError::Unreachable(message) | PeerError::Broken(message) => Status::unavailable(message),
    }
}

/// The messages of a stream; one that breaks off ends.
fn requests<T: Send + 'static>(stream: Streaming<T>) -> BoxStream<'static, T> {
    Box::pin(stream.scan((), |(), message| {
        let message =
            message.inspect_err(|status| tracing::debug!(%status, "A stream between replicas broke off"));
        std::future::ready(message.ok())
    }))
}

type Statuses<T> = BoxStream<'static, Result<T, Status>>;

fn statuses<T: Send + 'static>(replies: Replies<T>) -> Response<Statuses<T>> {
    Response::new(Box::pin(replies.map(|reply| reply.map_err(status))))
}

#[tonic::async_trait]
impl Peers for Local {
    type AppendStream = Statuses<AppendReply>;
    type InstallStream = Statuses<InstallReply>;
    type ForwardStream = Statuses<ForwardReply>;

    async fn append(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let replies = self.0.append(requests(request.into_inner())).await;
        replies.map(statuses).map_err(status)
    }

    async fn vote(&self, request: Request<VoteRequest>) -> Result<Response<VoteReply>, Status> {
        let reply = self.0.vote(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn pre_vote(&self, request: Request<VoteRequest>) -> Result<Response<VoteReply>, Status> {
        let reply = self.0.pre_vote(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderReply>, Status> {
        let reply = self.0.transfer_leader(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn install(
        &self,
        request: Request<Streaming<InstallRequest>>,
    ) -> Result<Response<Self::InstallStream>, Status> {
        let replies = self.0.install(requests(request.into_inner())).await;
        replies.map(statuses).map_err(status)
    }

    async fn read_index(
        &self,
        request: Request<ReadIndexRequest>,
    ) -> Result<Response<ReadIndexReply>, Status> {
        let reply = self.0.read_index(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        let replies = self.0.forward(requests(request.into_inner())).await;
        replies.map(statuses).map_err(status)
    }

    async fn greet(&self, request: Request<GreetRequest>) -> Result<Response<GreetReply>, Status> {
        let reply = self.0.greet(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn form(&self, request: Request<FormRequest>) -> Result<Response<FormReply>, Status> {
        let reply = self.0.form(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let reply = self.0.join(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn describe(&self, request: Request<DescribeRequest>) -> Result<Response<DescribeReply>, Status> {
        let reply = self.0.describe(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }

    async fn change_cluster(
        &self,
        request: Request<ChangeClusterRequest>,
    ) -> Result<Response<ChangeClusterReply>, Status> {
        let reply = self.0.change_cluster(request.into_inner()).await;
        reply.map(Response::new).map_err(status)
    }
}
