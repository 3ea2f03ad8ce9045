//! The network as openraft uses it, over any transport.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream};
use openraft::async_runtime::Select2;
use openraft::error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{SnapshotOf, VoteOf};
use openraft::{AnyError, OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use super::address_book::AddressBook;
use super::api::{PeerError, PeerService};
use super::backoff::pause_after;
use super::heartbeats::Heartbeats;
use super::identity::Whoami;
use super::snapshots::Sending;
use super::transport::{Lane, Transport};
use super::wire;
use crate::machine::SnapshotView;
use crate::types::{Peer, Types};

/// What came of entries, as openraft wants to know it.
type Appended<R> = Result<StreamAppendResult<Types<R>>, RPCError<Types<R>>>;

/// Makes the ways to peers that openraft asks for.
pub(crate) struct PeerNetwork<R: AsyncRuntime> {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) whoami: Arc<Whoami<R>>,
    pub(crate) addresses: Arc<AddressBook>,
    /// How long a peer may be silent before a connection to it is given up.
    pub(crate) patience: Duration,
}

impl<R: AsyncRuntime> PeerNetwork<R> {
    fn link(&self, target: u64, peer: &Peer, lane: Lane) -> PeerLink<R> {
        PeerLink {
            target,
            peer: peer.clone(),
            lane,
            patience: self.patience,
            transport: Arc::clone(&self.transport),
            whoami: Arc::clone(&self.whoami),
            addresses: Arc::clone(&self.addresses),
            reached: None,
            failures: 0,
            heartbeats: Heartbeats::default(),
        }
    }
}

impl<R: AsyncRuntime> RaftNetworkFactory<Types<R>> for PeerNetwork<R> {
    type Network = PeerLink<R>;

    async fn new_client(&mut self, target: u64, peer: &Peer) -> PeerLink<R> {
        self.link(target, peer, Lane::Log)
    }

    async fn new_heartbeat_client(&mut self, target: u64, peer: &Peer) -> PeerLink<R> {
        self.link(target, peer, Lane::Heartbeats)
    }

    async fn new_snapshot_client(&mut self, target: u64, peer: &Peer) -> PeerLink<R> {
        self.link(target, peer, Lane::Snapshots)
    }
}

/// The way to one peer for one purpose.
pub(crate) struct PeerLink<R: AsyncRuntime> {
    target: u64,
    peer: Peer,
    lane: Lane,
    patience: Duration,
    transport: Arc<dyn Transport>,
    whoami: Arc<Whoami<R>>,
    addresses: Arc<AddressBook>,
    /// The address that was used last, and the way there.
    reached: Option<(String, Arc<dyn PeerService>)>,
    /// Attempts to begin a stream that failed, one after another.
    failures: u32,
    heartbeats: Heartbeats,
}

impl<R: AsyncRuntime> PeerLink<R> {
    /// Waits after failures, longer after each: openraft begins the next stream at once.
    async fn back_off(&self) {
        if self.failures > 0 {
            R::sleep(pause_after(self.failures)).await;
        }
    }

    /// The way to where the peer is now.
    fn service(&mut self) -> Arc<dyn PeerService> {
        let address = self
            .addresses
            .find(self.target)
            .unwrap_or_else(|| self.peer.address.clone());
        if let Some((reached, service)) = &self.reached
            && *reached == address
        {
            return Arc::clone(service);
        }
        let service = self.transport.reach(&address, self.lane, self.patience);
        self.reached = Some((address, Arc::clone(&service)));
        service
    }

    /// Sends heartbeats, each once the one before is answered.
    fn beat<'s, S>(&'s mut self, requests: S) -> BoxStream<'s, Appended<R>>
    where
        S: Stream<Item = AppendEntriesRequest<Types<R>>> + OptionalSend + Unpin + 'static,
    {
        let service = self.service();
        let route = self.whoami.route_to(self.target);
        let replies = futures::stream::unfold(
            (requests, &mut self.heartbeats),
            move |(mut requests, heartbeats)| {
                let (service, route) = (Arc::clone(&service), route.clone());
                async move {
                    let request = wire::append::<R>(route, &requests.next().await?);
                    let reply = match request {
                        Ok(request) => heartbeats.send(&service, request).await,
                        Err(error) => Err(PeerError::Malformed(error.to_string())),
                    };
                    let reply = reply.and_then(wire::appended_from::<R>).map_err(rpc_error::<R>);
                    Some((reply, (requests, heartbeats)))
                }
            },
        );
        Box::pin(replies)
    }
}

/// An error as openraft knows it.
#[allow(clippy::needless_pass_by_value, reason = "what map_err passes")]
fn rpc_error<R: AsyncRuntime>(error: PeerError) -> RPCError<Types<R>> {
    match error {
        PeerError::Unreachable(_) | PeerError::Broken(_) | PeerError::Stranger(_) | PeerError::Stopped(_) => {
            RPCError::Unreachable(Unreachable::new(&AnyError::new(&error)))
        }
        PeerError::Malformed(_) => RPCError::Network(NetworkError::new(&AnyError::new(&error))),
    }
}

impl<R: AsyncRuntime> RaftNetworkV2<Types<R>> for PeerLink<R> {
    type SnapshotData = SnapshotView;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types<R>>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<R>>, RPCError<Types<R>>> {
        let requests = futures::stream::iter([request]);
        let mut replies = self.stream_append(requests, option).await?;
        match replies.next().await {
            Some(reply) => Ok(reply?.into()),
            None => Err(rpc_error::<R>(PeerError::Broken(
                "the stream of entries ended without an answer".to_owned(),
            ))),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Appended<R>>, RPCError<Types<R>>>>
    where
        S: Stream<Item = AppendEntriesRequest<Types<R>>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            if self.lane == Lane::Heartbeats {
                return Ok(self.beat(input));
            }
            self.back_off().await;
            let service = self.service();
            let (whoami, target) = (Arc::clone(&self.whoami), self.target);
            // A stream that ends early is a broken one to both ends, and openraft begins another.
            let requests = input.scan((), move |(), request| {
                let encoded = wire::append::<R>(whoami.route_to(target), &request)
                    .inspect_err(|error| tracing::error!(%error, "An entry of the log cannot be sent"));
                std::future::ready(encoded.ok())
            });
            let begun = service.append(Box::pin(requests)).await;
            self.failures = if begun.is_ok() {
                0
            } else {
                self.failures.saturating_add(1)
            };
            let replies = begun.map_err(rpc_error::<R>)?;
            let replies =
                replies.map(|reply| reply.and_then(wire::appended_from::<R>).map_err(rpc_error::<R>));
            Ok(Box::pin(replies) as BoxStream<'s, _>)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        let message = wire::vote::<R>(self.whoami.route_to(self.target), &request);
        let reply = self.service().vote(message).await;
        reply
            .and_then(|reply| wire::voted_from::<R>(&reply))
            .map_err(rpc_error::<R>)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        let message = wire::vote::<R>(self.whoami.route_to(self.target), &request);
        let reply = self.service().pre_vote(message).await;
        reply
            .and_then(|reply| wire::voted_from::<R>(&reply))
            .map_err(rpc_error::<R>)
    }

    async fn full_snapshot(
        &mut self,
        vote: VoteOf<Types<R>>,
        snapshot: SnapshotOf<Types<R>, SnapshotView>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types<R>>, StreamingError<Types<R>>> {
        let service = self.service();
        let sending = Sending {
            whoami: &self.whoami,
            target: self.target,
            vote,
            snapshot: &snapshot,
        };
        let (replica, index) = (&self.peer.name, snapshot.meta.last_log_id.map(|last| last.index));
        tracing::info!(
            replica,
            index,
            "Sending a snapshot to a replica that is too far behind"
        );
        match R::select2(sending.until_installed(&service), cancel).await {
            Select2::First(Ok(response)) => {
                tracing::info!(replica, index, "A replica has installed a snapshot");
                Ok(response)
            }
            Select2::First(Err(error)) => {
                tracing::warn!(replica, index, %error, "A snapshot was not taken; it is sent again");
                Err(StreamingError::Unreachable(Unreachable::new(&AnyError::new(
                    &error,
                ))))
            }
            Select2::Second(closed) => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types<R>>, RPCError<Types<R>>> {
        let message = wire::transfer::<R>(self.whoami.route_to(self.target), &request);
        let reply = self.service().transfer_leader(message).await;
        reply
            .and_then(|reply| wire::transferred_from::<R>(reply, &request))
            .map_err(rpc_error::<R>)
    }
}
