//! How many requests may be in progress at a time, over all connections: each costs memory while it waits, and
//! some wait for long, such as a read of a state that is yet to come, or a watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

/// Places for requests.
#[derive(Clone)]
pub(in crate::api::grpc) struct Places(Arc<Semaphore>);

impl Places {
    /// So many.
    pub(in crate::api::grpc) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }
}

/// One request's place.
pub(in crate::api::grpc) struct Place(OwnedSemaphorePermit);

impl Places {
    /// A place for a request.
    ///
    /// # Errors
    /// What to answer if there is none.
    pub(in crate::api::grpc) fn take(&self) -> Result<Place, Status> {
        Arc::clone(&self.0).try_acquire_owned().map(Place).map_err(|_| {
            Status::unavailable(
                "too many requests are in progress; nothing was changed: try again in a moment",
            )
        })
    }
}

impl Place {
    /// Keeps the place until an answer has been sent, or given up.
    pub(in crate::api::grpc) fn hold_for(self, body: Body) -> Body {
        Body::new(Placed { body, _place: self.0 })
    }
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
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
