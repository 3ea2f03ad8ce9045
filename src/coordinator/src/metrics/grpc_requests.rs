//! Counts and times gRPC requests: a tower layer over whatever HTTP body the server has.
//!
//! An RPC's status is in the trailers, so an answer is counted when its body has ended, or when it is given
//! up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Code;
use tower::{Layer, Service};

use super::labels::{Api, HEARTBEAT_STREAM, Rpcs};
use super::{Metrics, MetricsError};

/// Counts the heartbeats of a stream. It goes along with the request that opens one, since only the handler sees them.
#[derive(Debug, Clone)]
pub struct StreamedBeats(Metrics);

impl StreamedBeats {
    /// So many came in.
    pub fn count(&self, beats: usize) {
        self.0.streamed_heartbeats(beats);
    }
}

/// Counts and times the requests of a gRPC server.
#[derive(Debug, Clone)]
pub struct GrpcRequestsLayer {
    metrics: Metrics,
    rpcs: Arc<Rpcs>,
}

impl GrpcRequestsLayer {
    /// A layer that feeds these metrics.
    ///
    /// # Errors
    /// [`MetricsError::Descriptors`].
    pub fn new(metrics: Metrics) -> Result<Self, MetricsError> {
        Ok(Self {
            metrics,
            rpcs: Arc::new(Rpcs::of_the_public_api()?),
        })
    }
}

impl<S> Layer<S> for GrpcRequestsLayer {
    type Service = CountGrpcRequests<S>;

    fn layer(&self, service: S) -> CountGrpcRequests<S> {
        CountGrpcRequests {
            service,
            layer: self.clone(),
        }
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub struct CountGrpcRequests<S> {
    service: S,
    layer: GrpcRequestsLayer,
}

impl<S, A, B> Service<Request<A>> for CountGrpcRequests<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<CountedBody<B>>;
    type Error = S::Error;
    type Future = CountedCall<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let rpc = self.layer.rpcs.name(request.uri().path()).to_owned();
        if rpc == HEARTBEAT_STREAM {
            let beats = StreamedBeats(self.layer.metrics.clone());
            request.extensions_mut().insert(beats);
        }
        let is_stream = self.layer.rpcs.is_stream(request.uri().path());
        let count = Count {
            metrics: self.layer.metrics.clone(),
            rpc,
            start: (!is_stream).then(Instant::now),
        };
        CountedCall {
            call: self.service.call(request),
            pending: Pending(Some(count)),
        }
    }
}

pin_project! {
    /// A call on its way to an answer.
    #[must_use]
    pub struct CountedCall<F> {
        #[pin]
        call: F,
        pending: Pending,
    }
}

impl<F, B, E> Future for CountedCall<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<CountedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match ready!(this.call.poll(context)) {
            Ok(response) => response,
            Err(error) => {
                this.pending.done(Code::Unknown);
                return Poll::Ready(Err(error));
            }
        };
        // An answer without a message has its status here.
        if let Some(code) = status_in(response.headers()) {
            this.pending.done(code);
        } else if response.body().is_end_stream() {
            this.pending.done(Code::Unknown);
        }
        let pending = Pending(this.pending.0.take());
        Poll::Ready(Ok(response.map(|body| CountedBody { body, pending })))
    }
}

pin_project! {
    /// A body whose trailers are read as they pass.
    pub struct CountedBody<B> {
        #[pin]
        body: B,
        pending: Pending,
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.pending.done(status_in(trailers).unwrap_or(Code::Unknown));
                }
            }
            Some(Err(_)) | None => this.pending.done(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn status_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(HeaderValue::as_bytes)
        .map(Code::from_bytes)
}

/// What is known of a request until its answer is.
struct Count {
    metrics: Metrics,
    rpc: String,
    /// `None` if it is not timed.
    start: Option<Instant>,
}

/// A request that is not counted yet. One whose client left is counted as cancelled.
struct Pending(Option<Count>);

impl Pending {
    fn done(&mut self, code: Code) {
        if let Some(Count { metrics, rpc, start }) = self.0.take() {
            let took = start.map(|start| start.elapsed());
            metrics.request(Api::Grpc, &rpc, &format!("{code:?}"), took);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.done(Code::Cancelled);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::{HeaderMap, HeaderValue, Request, Response};
    use http_body::Frame;
    use http_body_util::{BodyExt as _, Empty, StreamBody};
    use tower::{Layer as _, ServiceExt as _, service_fn};

    use super::{GrpcRequestsLayer, StreamedBeats};
    use crate::metrics::Metrics;

    const PATH: &str = "/zephyrfs.coordinator.CoordinatorService/NodeHeartbeat";

    fn request() -> Request<()> {
        Request::builder().uri(PATH).body(()).unwrap()
    }

    fn counted(metrics: &Metrics, code: &str) -> bool {
        let line = format!(
            "coordinator_api_requests_total{{api=\"grpc\",code=\"{code}\",method=\"NodeHeartbeat\"}} 1"
        );
        metrics.render().unwrap().contains(&line)
    }

    #[tokio::test]
    async fn a_reply_is_counted_when_its_trailers_pass() {
        let metrics = Metrics::new().unwrap();
        let layer = GrpcRequestsLayer::new(metrics.clone()).unwrap();
        let service = layer.layer(service_fn(|_: Request<()>| async {
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(0))]);
            let frames = [
                Ok::<_, Infallible>(Frame::data(&b"message"[..])),
                Ok(Frame::trailers(trailers)),
            ];
            Ok::<_, Infallible>(Response::new(StreamBody::new(futures::stream::iter(frames))))
        }));
        let response = service.oneshot(request()).await.unwrap();
        assert!(!metrics.render().unwrap().contains("api_requests_total{"));
        response.into_body().collect().await.unwrap();
        assert!(counted(&metrics, "Ok"));
        assert!(
            metrics
                .render()
                .unwrap()
                .contains("coordinator_heartbeats_received_total 1\n")
        );
    }

    #[tokio::test]
    async fn a_stream_counts_its_heartbeats_and_not_its_time() {
        let metrics = Metrics::new().unwrap();
        let layer = GrpcRequestsLayer::new(metrics.clone()).unwrap();
        let service = layer.layer(service_fn(|request: Request<()>| async move {
            request.extensions().get::<StreamedBeats>().unwrap().count(1_000);
            let response = Response::builder().header("grpc-status", 14);
            Ok::<_, Infallible>(response.body(Empty::<&[u8]>::new()).unwrap())
        }));
        let path = "/zephyrfs.coordinator.CoordinatorService/HeartbeatStream";
        let request = Request::builder().uri(path).body(()).unwrap();
        service.oneshot(request).await.unwrap();
        let shown = metrics.render().unwrap();
        for line in [
            "coordinator_heartbeats_received_total 1000\n",
            "coordinator_api_requests_total{api=\"grpc\",code=\"Unavailable\",method=\"HeartbeatStream\"} 1\n",
        ] {
            assert!(shown.contains(line), "{line} is missing in\n{shown}");
        }
        assert!(!shown.contains("duration_seconds_count"), "{shown}");
    }

    #[tokio::test]
    async fn a_status_in_the_head_is_counted_at_once() {
        let metrics = Metrics::new().unwrap();
        let layer = GrpcRequestsLayer::new(metrics.clone()).unwrap();
        let service = layer.layer(service_fn(|_: Request<()>| async {
            let response = Response::builder().header("grpc-status", 3);
            Ok::<_, Infallible>(response.body(Empty::<&[u8]>::new()).unwrap())
        }));
        service.oneshot(request()).await.unwrap();
        assert!(counted(&metrics, "InvalidArgument"));
    }

    #[tokio::test]
    async fn a_request_whose_client_left_is_counted_as_cancelled() {
        let metrics = Metrics::new().unwrap();
        let layer = GrpcRequestsLayer::new(metrics.clone()).unwrap();
        let service = layer.layer(service_fn(|_: Request<()>| {
            std::future::pending::<Result<Response<Empty<&[u8]>>, Infallible>>()
        }));
        drop(service.oneshot(request()));
        assert!(!counted(&metrics, "Cancelled"), "it never began");
        let mut call = Box::pin(
            layer
                .layer(service_fn(|_: Request<()>| {
                    std::future::pending::<Result<Response<Empty<&[u8]>>, Infallible>>()
                }))
                .oneshot(request()),
        );
        assert!(futures::poll!(&mut call).is_pending());
        drop(call);
        assert!(counted(&metrics, "Cancelled"));
    }
}
