//! The gRPC server: the services, what requests pass on the way to them, and the bounds on connections.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tower::Layer;
use tracing::warn;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorServiceServer;

use super::front::{Bounds, Front};
use super::handlers::Handlers;
use super::health;
use super::heartbeat_streams::HeartbeatStreams;
use super::inventories::Inventories;
use super::middleware::RequestFields;
use crate::connections::incoming;
use crate::health::HealthChecks;
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
    /// Streams of heartbeats that may be open at a time, each of which is a request in progress; further ones are refused.
    pub max_heartbeat_streams: usize,
    /// How long a message may take from its first byte to its last, and how long an acknowledgement in a stream of heartbeats
    /// may wait to be taken: until then it holds memory that is for all.
    pub stream_patience: Duration,
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
            max_heartbeat_streams: 4_096,
            stream_patience: Duration::from_secs(30),
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
/// [`Options::drain`]. The standard health service says what `checks` say of readiness. `around` is passed by every request first and by every response last; it is meant for
/// metrics.
///
/// # Errors
/// [`ServeError`].
pub async fn serve<L, B>(
    listener: TcpListener,
    service: Arc<Service>,
    checks: HealthChecks,
    options: Options,
    around: L,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError>
where
    L: Layer<Front>,
    L::Service:
        tower::Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    <L::Service as tower::Service<Request<Body>>>::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    let (reporter, health_server) = tonic_health::server::health_reporter();
    // The library's own beginning would be that all is well.
    health::set(&reporter, false).await;
    let stopping = CancellationToken::new();
    let streams = HeartbeatStreams::new(
        Arc::clone(&service),
        options.max_heartbeat_streams,
        options.stream_patience,
        stopping.clone(),
    );
    let inventories = Inventories::new(Arc::clone(&service), stopping.clone());
    let handlers = Handlers::new(Arc::clone(&service), streams, inventories);
    let front = front(&service, handlers, health_server, &options)?;
    let server = Server::builder()
        .max_concurrent_streams(options.max_streams_per_connection)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .serve_with_incoming_shutdown(
            around.layer(front),
            incoming(
                "grpc",
                listener,
                options.max_connections,
                options.greeting_timeout,
            ),
            stopping.clone().cancelled_owned(),
        );
    let stop = async {
        let reporting = health::report(reporter.clone(), checks);
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

fn front(
    service: &Arc<Service>,
    handlers: Handlers,
    health: HealthServer<impl Health>,
    options: &Options,
) -> Result<Front, ServeError> {
    let coordinator =
        CoordinatorServiceServer::new(handlers).max_decoding_message_size(options.max_message_size);
    let mut others = Routes::new(health);
    if options.reflection {
        others = others
            .add_service(descriptors().build_v1()?)
            .add_service(descriptors().build_v1alpha()?);
    }
    let bounds = Bounds {
        fields: RequestFields::of_the_public_api()?,
        max_requests: options.max_requests,
        max_body_memory: options.max_body_memory,
        default_deadline: options.default_deadline,
        message_time: options.stream_patience,
    };
    Ok(Front::new(Arc::clone(service), coordinator, others, bounds))
}

fn descriptors() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(zephyrfs_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
