//! A replica that speaks gRPC on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tower::layer::util::Identity;
use zephyrfs_coordinator::api::grpc::{Options, ServeError, serve};
use zephyrfs_coordinator::health::{HealthChecks, Lifecycle, Phase, Pulse};
use zephyrfs_core::Engine;
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;

use super::Replica;

/// A replica with its gRPC API.
pub(crate) struct GrpcReplica {
    pub(crate) replica: Replica,
    pub(crate) address: SocketAddr,
    pub(crate) channel: Channel,
    stop: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

impl GrpcReplica {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let replica = Replica::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = Options {
            drain: Duration::from_secs(1),
            ..Options::default()
        };
        change(&mut options);
        let stop = CancellationToken::new();
        let service = Arc::clone(&replica.service);
        let shutdown = stop.clone().cancelled_owned();
        let lifecycle = Lifecycle::starting(&[]);
        lifecycle.enter(Phase::Serving);
        let checks = HealthChecks::new(lifecycle, Pulse::begin());
        checks.observe(Arc::clone(&replica.engine) as Arc<dyn Engine>);
        let server = tokio::spawn(serve(
            listener,
            service,
            checks,
            options,
            Identity::new(),
            shutdown,
        ));
        let channel = connect(address).await;
        Self {
            replica,
            address,
            channel,
            stop,
            server,
        }
    }

    pub(crate) fn client(&self) -> CoordinatorServiceClient<Channel> {
        CoordinatorServiceClient::new(self.channel.clone())
    }

    /// A client with a connection of its own.
    pub(crate) async fn connect_again(&self) -> CoordinatorServiceClient<Channel> {
        CoordinatorServiceClient::new(connect(self.address).await)
    }

    /// Stops the server in order, and gives what it ended with.
    pub(crate) async fn stop(self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.server.await.unwrap()
    }
}

async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}
