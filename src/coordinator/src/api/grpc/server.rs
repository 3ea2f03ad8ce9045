//! The gRPC server: the services, what requests pass on the way to them, and the bounds on connections.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tracing::warn;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorServiceServer;

use super::connections::incoming;
use super::handlers::Handlers;
use super::health;
use super::middleware::{BodyMemory, blame_the_client, bound_memory, honour_deadline, warn_when_slow};
use crate::metrics::{GrpcRequestsLayer, Metrics, MetricsError};
use crate::service::Service;

/// How the server is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes of the largest request that is read.
    pub max_message_size: usize,
    /// Whether clients may ask which services there are.
    pub reflection: bool,
    /// How long a request may take whose client names no deadline.
    pub default_deadline: Duration,
    /// Connections that may be open at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// Requests that one connection may have open at a time.
    pub max_streams_per_connection: u32,
    /// Bytes that all requests in progress may take together.
    pub max_body_memory: usize,
    /// How long a connection may be silent before it is asked whether the other end is still there.
    pub keepalive_interval: Duration,
    /// How long the other end has to answer that.
    pub keepalive_timeout: Duration,
    /// How long requests in progress may take to finish after the shutdown began.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_message_size: 4 << 20,
            reflection: false,
            default_deadline: Duration::from_secs(30),
            max_connections: 10_000,
            max_streams_per_connection: 1_024,
            max_body_memory: 64 << 20,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            drain: Duration::from_secs(10),
        }
    }
}

/// Why the server could not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The reflection service cannot read the descriptors of the others: a defect of the build.
    #[error("cannot describe the gRPC services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The metrics cannot name the calls: a defect of the build.
    #[error("cannot count gRPC requests: {0}")]
    Metrics(#[from] MetricsError),
    /// The transport failed.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until `shutdown`, and then until the requests in progress are done, but no longer than [`Options::drain`].
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    metrics: Metrics,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (reporter, health_server) = tonic_health::server::health_reporter();
    let routes = routes(&service, metrics, health_server, &options)?;
    let stopping = CancellationToken::new();
    let server = Server::builder()
        .max_concurrent_streams(options.max_streams_per_connection)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            incoming(listener, options.max_connections),
            stopping.clone().cancelled_owned(),
        );
    let stop = async {
        let reporting = health::report(reporter.clone(), service);
        tokio::select! {
            () = shutdown => {}
            () = reporting => {}
        }
        stop(&reporter, &stopping, options.drain).await;
    };
    tokio::select! {
        result = server => Ok(result?),
        () = stop => Ok(()),
    }
}

/// Tells everybody that this server is going, and lets go of it after a while.
async fn stop(reporter: &HealthReporter, stopping: &CancellationToken, drain: Duration) {
    health::set(reporter, false).await;
    stopping.cancel();
    tokio::time::sleep(drain).await;
    warn!(
        ?drain,
        "Some gRPC connections did not close in time; they are cut off"
    );
}

fn routes(
    service: &Arc<Service>,
    metrics: Metrics,
    health: HealthServer<impl Health>,
    options: &Options,
) -> Result<Routes, ServeError> {
    let handlers = Handlers::new(Arc::clone(service));
    let coordinator =
        CoordinatorServiceServer::new(handlers).max_decoding_message_size(options.max_message_size);
    let mut routes = Routes::new(coordinator).add_service(health);
    if options.reflection {
        routes = routes
            .add_service(descriptors().build_v1()?)
            .add_service(descriptors().build_v1alpha()?);
    }
    // The last layer is the first that a request passes.
    let router = routes
        .into_axum_router()
        .layer(from_fn_with_state(
            BodyMemory::new(options.max_body_memory),
            bound_memory,
        ))
        .layer(from_fn(blame_the_client))
        .layer(from_fn_with_state(options.default_deadline, honour_deadline))
        .layer(from_fn(warn_when_slow))
        .layer(GrpcRequestsLayer::new(metrics)?);
    Ok(Routes::from(router))
}

fn descriptors() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(zephyrfs_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
