//! How much memory the bodies of all requests may take together, while they arrive and while they are worked
//! on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt as _;
use tonic::Status;

/// What is left for bodies.
#[derive(Clone)]
pub(in crate::api::grpc) struct BodyMemory(Arc<AtomicUsize>);

impl BodyMemory {
    /// Room for so many bytes.
    pub(in crate::api::grpc) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }
}

/// What one request has taken; given back when dropped.
struct Share {
    left: BodyMemory,
    taken: AtomicUsize,
}

impl Share {
    fn take(&self, bytes: usize) -> Result<(), Status> {
        self.left
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map_err(|_| {
                Status::unavailable("too many large requests are being received; try again in a moment")
            })?;
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.left.0.fetch_add(*self.taken.get_mut(), Ordering::Relaxed);
    }
}

/// Passes a request on, and refuses it if there is no room for its body.
pub(in crate::api::grpc) async fn bound_memory(
    State(left): State<BodyMemory>,
    request: Request,
    next: Next,
) -> Response {
    let share = Arc::new(Share {
        left,
        taken: AtomicUsize::new(0),
    });
    let request = request.map(|body| counted(body, Arc::clone(&share)));
    let response = next.run(request).await;
    // Held until here: the message is in memory for as long as a handler has it.
    drop(share);
    response
}

fn counted(body: Body, share: Arc<Share>) -> Body {
    Body::from_stream(body.into_data_stream().map(move |data| {
        let data: Bytes = data.map_err(|error| Status::from_error(Box::new(error)))?;
        share.take(data.len())?;
        Ok::<_, Status>(data)
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{BodyMemory, Share};

    #[test]
    fn what_a_request_takes_is_given_back() {
        let memory = BodyMemory::new(10);
        let share = || Share {
            left: memory.clone(),
            taken: AtomicUsize::new(0),
        };
        let first = Arc::new(share());
        first.take(4).unwrap();
        first.take(4).unwrap();
        let second = share();
        assert_eq!(second.take(3).unwrap_err().code(), tonic::Code::Unavailable);
        second.take(2).unwrap();
        drop(first);
        assert_eq!(memory.0.load(Ordering::Relaxed), 8);
        drop(second);
        assert_eq!(memory.0.load(Ordering::Relaxed), 10);
    }
}
