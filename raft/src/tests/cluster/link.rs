//! The way from a process to an address, as a peer service. What is called runs in the process that is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt, SinkExt, StreamExt};
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::{SimInstant, SimRuntime};
use zephyrfs_proto::peer::{
    AppendReply, AppendRequest, ChangeClusterReply, ChangeClusterRequest, DescribeReply, DescribeRequest,
    FormReply, FormRequest, ForwardReply, ForwardRequest, GreetReply, GreetRequest, InstallReply,
    InstallRequest, JoinReply, JoinRequest, ReadIndexReply, ReadIndexRequest, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest,
};

use super::network::{Endpoint, Found, Network, now};
use super::process::Process;
use crate::peers::{PeerError, PeerService, Replies, Requests};

/// A process that is asked notices after so long that the one that asked is not heard any more.
const SERVER_PATIENCE: Duration = Duration::from_secs(10);

/// Messages on their way in one stream.
const WINDOW: usize = 32;

/// The way to an address.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) network: Arc<Network>,
    pub(super) host: String,
    pub(super) process: Arc<Process>,
    pub(super) address: String,
    pub(super) patience: Duration,
    /// Whether there is a connection.
    pub(super) is_connected: Arc<AtomicBool>,
}

/// Notices when a connection is dead, also while nobody waits for anything.
fn keep_alive(connection: &Connection) -> impl Future<Output = ()> + Send + use<> {
    let connected = Arc::downgrade(&connection.link.is_connected);
    let Link {
        network,
        host,
        patience,
        ..
    } = connection.link.clone();
    let (to, process) = (connection.to.clone(), Arc::clone(&connection.process));
    async move {
        let used = async {
            while connected
                .upgrade()
                .is_some_and(|connected| connected.load(Ordering::Relaxed))
            {
                SimRuntime::sleep(patience).await;
            }
        };
        first(network.silence(&host, &to, &process, patience), used).await;
        if let Some(connected) = connected.upgrade() {
            connected.store(false, Ordering::Relaxed);
        }
    }
}

/// Whichever comes first; the other one is dropped.
async fn first<A>(one: impl Future<Output = A>, other: impl Future<Output = A>) -> A {
    match select(Box::pin(one), Box::pin(other)).await {
        Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
    }
}

/// One call.
#[derive(Clone)]
struct Connection {
    link: Link,
    to: String,
    process: Arc<Process>,
}

/// Lives as long as somebody waits for the answer to a call.
struct Caller {
    _gone: oneshot::Sender<()>,
}

impl Connection {
    /// Until the caller gives the connection up.
    async fn given_up(&self) -> PeerError {
        let Link {
            network,
            host,
            patience,
            ..
        } = &self.link;
        network.silence(host, &self.to, &self.process, *patience).await;
        self.broken("nothing came back for too long")
    }

    fn broken(&self, why: &str) -> PeerError {
        self.link.is_connected.store(false, Ordering::Relaxed);
        PeerError::Broken(format!("{}: {why}", self.link.address))
    }

    /// Until the one that is called learns that the caller is gone.
    async fn deserted(&self, gone: oneshot::Receiver<()>) {
        let Link {
            network,
            host,
            process,
            ..
        } = &self.link;
        let told = async {
            let _ = gone.await;
            network.arrival(host, &self.to, now() + network.delay()).await;
        };
        let noticed = network.silence(host, &self.to, process, SERVER_PATIENCE);
        first(told, noticed).await;
    }

    fn there(&self) -> impl Future<Output = ()> + use<> {
        self.message(None)
    }

    fn back(&self) -> impl Future<Output = ()> + use<> {
        let at = now() + self.link.network.delay();
        self.reply(at)
    }

    fn message(&self, at: Option<SimInstant>) -> impl Future<Output = ()> + use<> {
        let this = self.clone();
        async move {
            let Link { network, host, .. } = &this.link;
            let at = at.unwrap_or_else(|| now() + network.delay());
            network.arrival(host, &this.to, at).await;
        }
    }

    fn reply(&self, at: SimInstant) -> impl Future<Output = ()> + use<> {
        let this = self.clone();
        async move {
            let Link { network, host, .. } = &this.link;
            network.arrival(&this.to, host, at).await;
        }
    }
}

impl Link {
    /// Connects, and brings the beginning of a call there.
    async fn connect(&self) -> Result<(Connection, Arc<dyn PeerService>), PeerError> {
        SimRuntime::sleep(self.network.delay()).await;
        let Endpoint {
            host,
            process,
            service,
        } = match self.network.find(&self.address) {
            Found::Listening(endpoint) => endpoint,
            Found::Nobody => {
                return Err(PeerError::Unreachable(format!(
                    "{}: nobody listens",
                    self.address
                )));
            }
            Found::Silence => {
                SimRuntime::sleep(self.patience).await;
                return Err(PeerError::Unreachable(format!("{}: no answer", self.address)));
            }
        };
        let connection = Connection {
            link: self.clone(),
            to: host,
            process,
        };
        if !self.is_connected.load(Ordering::Relaxed) {
            let shaken = async {
                connection.there().await;
                connection.back().await;
                true
            };
            if !first(shaken, connection.given_up().map(|_| false)).await {
                return Err(PeerError::Unreachable(format!("{}: no answer", self.address)));
            }
            self.is_connected.store(true, Ordering::Relaxed);
            self.process.spawn(keep_alive(&connection));
        }
        let arrived = first(
            connection.there().map(|()| true),
            connection.given_up().map(|_| false),
        );
        if arrived.await && !connection.process.is_dead() {
            return Ok((connection, service));
        }
        Err(connection.broken("the connection broke"))
    }

    async fn ask<Q, A>(
        &self,
        request: Q,
        call: impl FnOnce(Arc<dyn PeerService>, Q) -> BoxFuture<'static, Result<A, PeerError>> + Send + 'static,
    ) -> Result<A, PeerError>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let (connection, service) = self.connect().await?;
        let (tell, told) = oneshot::channel();
        let (caller, gone) = oneshot::channel();
        let _caller = Caller { _gone: caller };
        let there = connection.clone();
        connection.process.spawn(async move {
            let answered = call(service, request).map(Some);
            let deserted = there.deserted(gone).map(|()| None);
            if let Some(answer) = first(answered, deserted).await {
                drop(tell.send(answer));
            }
        });
        let answered = async {
            match told.await {
                Ok(answer) => {
                    connection.back().await;
                    answer
                }
                // The process ended. Its kernel says so, if it has power.
                Err(_) => {
                    connection.back().await;
                    Err(connection.broken("the connection was reset"))
                }
            }
        };
        first(answered, connection.given_up().map(Err)).await
    }

    async fn stream<Q, A>(
        &self,
        requests: Requests<Q>,
        call: impl FnOnce(Arc<dyn PeerService>, Requests<Q>) -> BoxFuture<'static, Result<Replies<A>, PeerError>>
        + Send
        + 'static,
    ) -> Result<Replies<A>, PeerError>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let (connection, service) = self.connect().await?;
        let (up, coming) = mpsc::channel(WINDOW);
        let (down, returning) = mpsc::channel(WINDOW);
        let (caller, gone) = oneshot::channel();
        let sending = connection.clone();
        self.process.spawn(send(requests, sending, up));
        let there = connection.clone();
        connection.process.spawn(async move {
            let serving = serve(service, coming, there.clone(), down, call);
            first(serving, there.deserted(gone)).await;
        });
        let caller = Caller { _gone: caller };
        let mut replies = receive(connection, returning, caller);
        // The head of the answer comes first.
        match replies.next().await {
            Some(Ok(Reply::Head)) => {}
            Some(Ok(Reply::Item(_) | Reply::End)) | None => {
                return Err(PeerError::Broken("the answer has no head".to_owned()));
            }
            Some(Err(error)) => return Err(error),
        }
        let items = replies.filter_map(|reply| {
            std::future::ready(match reply {
                Ok(Reply::Item(item)) => Some(Ok(item)),
                Ok(Reply::Head | Reply::End) => None,
                Err(error) => Some(Err(error)),
            })
        });
        Ok(Box::pin(items))
    }
}

/// What comes back in a stream.
enum Reply<A> {
    Head,
    Item(A),
    End,
}

type Timed<T> = (SimInstant, T);

/// When a message arrives that is sent now, not before the one before it.
fn due(network: &Network, last: &mut SimInstant) -> SimInstant {
    *last = (*last).max(now() + network.delay());
    *last
}

/// Takes requests from the caller and puts them on their way.
async fn send<Q>(mut requests: Requests<Q>, connection: Connection, mut up: mpsc::Sender<Timed<Q>>) {
    let mut last = now();
    loop {
        // Nobody listens any more: then nobody is asked for more either.
        let closed = futures::future::poll_fn(|context| match up.poll_ready(context) {
            std::task::Poll::Ready(Err(_)) => std::task::Poll::Ready(None),
            std::task::Poll::Ready(Ok(())) | std::task::Poll::Pending => std::task::Poll::Pending,
        });
        let Some(request) = first(requests.next(), closed).await else {
            return;
        };
        let at = due(&connection.link.network, &mut last);
        if up.send((at, request)).await.is_err() {
            return;
        }
    }
}

/// Calls, and puts what comes of it on its way back.
async fn serve<Q, A>(
    service: Arc<dyn PeerService>,
    coming: mpsc::Receiver<Timed<Q>>,
    connection: Connection,
    mut down: mpsc::Sender<Timed<Result<Reply<A>, PeerError>>>,
    call: impl FnOnce(Arc<dyn PeerService>, Requests<Q>) -> BoxFuture<'static, Result<Replies<A>, PeerError>>,
) where
    Q: Send + 'static,
    A: Send + 'static,
{
    let incoming = connection.clone();
    let requests = coming.then(move |(at, request)| incoming.message(Some(at)).map(|()| request));
    let network = Arc::clone(&connection.link.network);
    let mut last = now();
    let mut replies = match call(service, Box::pin(requests)).await {
        Ok(replies) => replies,
        Err(error) => {
            let at = due(&network, &mut last);
            drop(down.send((at, Err(error))).await);
            return;
        }
    };
    let at = due(&network, &mut last);
    let mut sent = down.send((at, Ok(Reply::Head))).await;
    while sent.is_ok() {
        let Some(reply) = replies.next().await else {
            let at = due(&network, &mut last);
            drop(down.send((at, Ok(Reply::End))).await);
            return;
        };
        let at = due(&network, &mut last);
        sent = down.send((at, reply.map(Reply::Item))).await;
    }
}

/// Takes replies off the wire for the caller, until the end, an error, or silence.
fn receive<A: Send + 'static>(
    connection: Connection,
    returning: mpsc::Receiver<Timed<Result<Reply<A>, PeerError>>>,
    caller: Caller,
) -> futures::stream::BoxStream<'static, Result<Reply<A>, PeerError>> {
    struct Returning<A> {
        connection: Connection,
        replies: mpsc::Receiver<Timed<Result<Reply<A>, PeerError>>>,
        _caller: Caller,
    }
    let state = Returning {
        connection,
        replies: returning,
        _caller: caller,
    };
    Box::pin(futures::stream::unfold(Some(state), |state| async {
        let mut state = state?;
        let connection = state.connection.clone();
        let next = async {
            match state.replies.next().await {
                Some((at, reply)) => {
                    connection.reply(at).await;
                    reply
                }
                None => {
                    connection.back().await;
                    Err(connection.broken("the connection was reset"))
                }
            }
        };
        let reply = first(next, connection.given_up().map(Err)).await;
        match reply {
            Ok(Reply::End) => None,
            Ok(reply) => Some((Ok(reply), Some(state))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

#[async_trait]
impl PeerService for Link {
    async fn append(&self, requests: Requests<AppendRequest>) -> Result<Replies<AppendReply>, PeerError> {
        self.stream(requests, |peer, requests| {
            async move { peer.append(requests).await }.boxed()
        })
        .await
    }

    async fn vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.vote(request).await }.boxed()
        })
        .await
    }

    async fn pre_vote(&self, request: VoteRequest) -> Result<VoteReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.pre_vote(request).await }.boxed()
        })
        .await
    }

    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest,
    ) -> Result<TransferLeaderReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.transfer_leader(request).await }.boxed()
        })
        .await
    }

    async fn install(&self, requests: Requests<InstallRequest>) -> Result<Replies<InstallReply>, PeerError> {
        self.stream(requests, |peer, requests| {
            async move { peer.install(requests).await }.boxed()
        })
        .await
    }

    async fn read_index(&self, request: ReadIndexRequest) -> Result<ReadIndexReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.read_index(request).await }.boxed()
        })
        .await
    }

    async fn forward(&self, requests: Requests<ForwardRequest>) -> Result<Replies<ForwardReply>, PeerError> {
        self.stream(requests, |peer, requests| {
            async move { peer.forward(requests).await }.boxed()
        })
        .await
    }

    async fn greet(&self, request: GreetRequest) -> Result<GreetReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.greet(request).await }.boxed()
        })
        .await
    }

    async fn form(&self, request: FormRequest) -> Result<FormReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.form(request).await }.boxed()
        })
        .await
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.join(request).await }.boxed()
        })
        .await
    }

    async fn change_cluster(&self, request: ChangeClusterRequest) -> Result<ChangeClusterReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.change_cluster(request).await }.boxed()
        })
        .await
    }

    async fn describe(&self, request: DescribeRequest) -> Result<DescribeReply, PeerError> {
        self.ask(request, |peer, request| {
            async move { peer.describe(request).await }.boxed()
        })
        .await
    }
}
