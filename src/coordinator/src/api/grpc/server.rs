//! The gRPC server: the services, what requests pass on the way to them, and the bounds on connections.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::Route;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tower::Layer;
use tracing::warn;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorServiceServer;

use super::connections::incoming;
use super::handlers::Handlers;
use super::health;
use super::middleware::{
    BodyMemory, Places, RequestFields, blame_the_client, bound_fields, bound_memory, bound_requests,
    honour_deadline, warn_when_slow,
};
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
    /// How long a new connection may take to say that it speaks HTTP/2.
    pub greeting_timeout: Duration,
    /// Requests that one connection may have open at a time.
    pub max_streams_per_connection: u32,
    /// Requests that may be in progress at a time; further ones are refused.
    pub max_requests: usize,
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
            greeting_timeout: Duration::from_secs(10),
            max_streams_per_connection: 1_024,
            max_requests: 8_192,
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
    /// The compiled-in description of the gRPC API cannot be read: a defect of the build.
    #[error("cannot read the description of the gRPC API: {0}")]
    Descriptors(#[from] prost::DecodeError),
    /// The transport failed.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until `shutdown`, and then until the requests in progress are done, but no longer than
/// [`Options::drain`]. `around` is passed by every request first and by every response last; it is meant for
/// metrics.
///
/// # Errors
/// [`ServeError`].
pub async fn serve<L>(
    listener: TcpListener,
    service: Arc<Service>,
    options: Options,
    around: L,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError>
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: tower::Service<Request> + Clone + Send + Sync + 'static,
    <L::Service as tower::Service<Request>>::Response: IntoResponse + 'static,
    <L::Service as tower::Service<Request>>::Error: Into<Infallible> + 'static,
    <L::Service as tower::Service<Request>>::Future: Send + 'static,
{
    let (reporter, health_server) = tonic_health::server::health_reporter();
    let routes = Routes::from(routes(&service, health_server, &options)?.layer(around));
    let stopping = CancellationToken::new();
    let server = Server::builder()
        .max_concurrent_streams(options.max_streams_per_connection)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            incoming(listener, options.max_connections, options.greeting_timeout),
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
    health::dismiss(reporter).await;
    stopping.cancel();
    tokio::time::sleep(drain).await;
    warn!(
        ?drain,
        "Some gRPC connections did not close in time; they are cut off"
    );
}

fn routes(
    service: &Arc<Service>,
    health: HealthServer<impl Health>,
    options: &Options,
) -> Result<Router, ServeError> {
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
    Ok(routes
        .into_axum_router()
        .layer(from_fn_with_state(
            RequestFields::of_the_public_api()?,
            bound_fields,
        ))
        .layer(from_fn_with_state(
            BodyMemory::new(options.max_body_memory),
            bound_memory,
        ))
        .layer(from_fn(blame_the_client))
        .layer(from_fn_with_state(options.default_deadline, honour_deadline))
        .layer(from_fn(warn_when_slow))
        .layer(from_fn_with_state(
            Places::new(options.max_requests),
            bound_requests,
        )))
}

fn descriptors() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(zephyrfs_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
