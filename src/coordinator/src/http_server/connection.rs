//! One connection, from its first byte to its end.

use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::ServerOptions;
use super::client_stream::ClientStream;
use super::head_timer::{Arrivals, HeadTimer};

/// Bytes that a connection may hold of what it reads or writes. A head larger than this is refused by hyper
/// with 431.
const BUFFER_SIZE: usize = 48 << 10;

/// How a server tells its connections to end.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    /// Finish the request at hand, take no other.
    pub(super) gently: CancellationToken,
    /// Now.
    pub(super) at_once: CancellationToken,
}

/// Serves one connection until the client leaves or `stop` says so.
pub(super) async fn serve(stream: TcpStream, app: Router, options: &ServerOptions, stop: &Stop) {
    // Answers are small and waited for: none should wait for the next to fill a packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(listener = options.name, %error, "Connection is gone already");
        return;
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(options.write_timeout));
    let arrivals = Arc::new(Arrivals::default());
    let timer = HeadTimer::new(
        Arc::clone(&arrivals),
        options.header_timeout,
        options.idle_timeout,
    );
    let stream = ClientStream::new(Box::pin(stream), arrivals);
    let connection = http1::Builder::new()
        .timer(timer)
        .header_read_timeout(options.header_timeout)
        .max_buf_size(BUFFER_SIZE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.gently.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.at_once.cancelled() => return,
            }
        }
    };
    // What a client does to its own connection is nothing an operator has to look at.
    if let Err(error) = ended {
        tracing::debug!(listener = options.name, %error, "Connection ended early");
    }
}
