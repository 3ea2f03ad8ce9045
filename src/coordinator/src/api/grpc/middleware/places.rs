//! How many requests may be in progress at a time, over all connections: each costs memory while it waits, and
//! some wait for long, such as a read of a state that is yet to come, or a watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// Places for requests.
#[derive(Clone)]
pub(in crate::api::grpc) struct Places(Arc<Semaphore>);

impl Places {
    /// So many.
    pub(in crate::api::grpc) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }
}

/// Passes a request on if there is a place for it, which it has until its answer has been sent.
pub(in crate::api::grpc) async fn bound_requests(
    State(Places(places)): State<Places>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(place) = places.try_acquire_owned() else {
        return Status::unavailable(
            "too many requests are in progress; nothing was changed: try again in a moment",
        )
        .into_http();
    };
    let response = next.run(request).await;
    response.map(|body| Body::new(Placed { body, _place: place }))
}

pin_project! {
    /// A body whose request keeps its place until the body has been sent, or given up.
    struct Placed {
        #[pin]
        body: Body,
        _place: OwnedSemaphorePermit,
    }
}

impl http_body::Body for Placed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
