//! Incoming connections: no more than are planned for, and none that says nothing.
//!
//! Over the limit, further connections wait in the operating system's queue until others close.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::Stream;
use futures::stream::unfold;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::warn;

use crate::service::throttle::Throttle;

/// Bytes of HTTP/2's connection preface.
const GREETING_LENGTH: usize = 24;

/// How long to wait after the operating system refused a connection, most likely for want of file
/// descriptors.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// How often a condition that lasts is logged.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// Accepts connections for as long as it is polled, at most `max` open at a time. A new one has
/// `greeting_timeout` to say that it speaks HTTP/2. `server` is what the log calls whoever takes them.
pub(crate) fn incoming(
    server: &'static str,
    listener: TcpListener,
    max: usize,
    greeting_timeout: Duration,
) -> impl Stream<Item = io::Result<Connection>> + Send {
    let acceptor = Acceptor {
        server,
        listener,
        places: Arc::new(Semaphore::new(max)),
        max,
        greeting_timeout,
        full: Throttle::new(REMIND_EVERY),
        refused: Throttle::new(REMIND_EVERY),
    };
    unfold(acceptor, |acceptor| async move {
        let connection = acceptor.next().await;
        Some((Ok(connection), acceptor))
    })
}

struct Acceptor {
    server: &'static str,
    listener: TcpListener,
    places: Arc<Semaphore>,
    max: usize,
    greeting_timeout: Duration,
    full: Throttle,
    refused: Throttle,
}

impl Acceptor {
    async fn next(&self) -> Connection {
        let place = self.place().await;
        loop {
            match self
                .listener
                .accept()
                .await
                .and_then(|(stream, _)| without_delay(stream))
            {
                Ok(stream) => return Connection::new(stream, place, self.greeting_timeout),
                Err(error) => {
                    if self.refused.lets_pass(Instant::now()) {
                        warn!(%error, server = self.server, "Cannot accept connections");
                    }
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        if self.full.lets_pass(Instant::now()) {
            warn!(
                limit = self.max,
                server = self.server,
                "As many connections are open as are allowed; further ones wait"
            );
        }
        // The semaphore is never closed, so there always is a place in the end.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

fn without_delay(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection that has its place among all open ones.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Until it has greeted: how many bytes are missing, and when it is too late.
    greeting: Option<(usize, Pin<Box<Sleep>>)>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn new(stream: TcpStream, place: Option<OwnedSemaphorePermit>, greeting_timeout: Duration) -> Self {
        Self {
            stream,
            greeting: Some((GREETING_LENGTH, Box::pin(sleep(greeting_timeout)))),
            _place: place,
        }
    }

    fn heard(&mut self, bytes: usize) {
        self.greeting = self
            .greeting
            .take()
            .map(|(missing, timeout)| (missing.saturating_sub(bytes), timeout))
            .filter(|(missing, _)| *missing > 0);
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(result) => {
                self.heard(buffer.filled().len().saturating_sub(before));
                Poll::Ready(result)
            }
            Poll::Pending => {
                let Some((_, timeout)) = &mut self.greeting else {
                    return Poll::Pending;
                };
                ready!(timeout.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use futures::{FutureExt as _, StreamExt as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::{GREETING_LENGTH, incoming};

    #[tokio::test]
    async fn a_connection_over_the_limit_waits_for_another_to_close() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = pin!(incoming("grpc", listener, 1, Duration::from_secs(60)));
        let _one = TcpStream::connect(address).await.unwrap();
        let _two = TcpStream::connect(address).await.unwrap();
        let first = accepted.next().await.unwrap().unwrap();
        assert!(accepted.next().now_or_never().is_none());
        drop(first);
        assert!(accepted.next().await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_connection_that_has_greeted_is_never_timed_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut accepted = pin!(incoming("grpc", listener, 1, Duration::from_secs(60)));
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut server = accepted.next().await.unwrap().unwrap();
        client.write_all(&[0; GREETING_LENGTH - 1]).await.unwrap();
        server.read_exact(&mut [0; GREETING_LENGTH - 1]).await.unwrap();
        assert!(server.greeting.is_some());
        client.write_all(&[0]).await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
        assert!(server.greeting.is_none());
    }
}
