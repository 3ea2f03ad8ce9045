//! How much memory the bodies of all requests may take together, while they arrive and while they are worked
//! on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;

/// What is left for bodies.
#[derive(Clone)]
pub(in crate::api::grpc) struct BodyMemory(Arc<AtomicUsize>);

impl BodyMemory {
    /// Room for so many bytes.
    pub(in crate::api::grpc) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// The share of one request, with nothing taken yet.
    pub(in crate::api::grpc) fn share(&self) -> Share {
        Share(Arc::new(Taken {
            left: self.clone(),
            bytes: AtomicUsize::new(0),
        }))
    }
}

/// What one request may take. To be held until the request is answered: the message is in memory for as long as a handler
/// has it.
#[derive(Clone)]
pub(in crate::api::grpc) struct Share(Arc<Taken>);

impl Share {
    /// Counts a body as it arrives, and breaks it off where there is no room for it.
    pub(in crate::api::grpc) const fn count(self, body: Body) -> CountedBody {
        CountedBody { body, share: self }
    }

    /// The messages of a stream, as they arrive one after the other.
    pub(in crate::api::grpc) fn messages(&self) -> Messages {
        Messages {
            share: self.clone(),
            arrived: Arc::default(),
        }
    }

    fn take(&self, bytes: usize) -> Result<(), Status> {
        let Taken { left, bytes: taken } = &*self.0;
        left.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map_err(|_| {
                Status::unavailable("too many large requests are being received; try again in a moment")
            })?;
        taken.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        let Taken { left, bytes: taken } = &*self.0;
        taken.fetch_sub(bytes, Ordering::Relaxed);
        left.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The messages of a stream: each gives back what it took once it is done with, since the request may last for days.
#[derive(Clone)]
pub(in crate::api::grpc) struct Messages {
    share: Share,
    /// The lengths of those that have arrived and were not handed on.
    arrived: Arc<Mutex<VecDeque<usize>>>,
}

impl Messages {
    /// A message of so many bytes has arrived.
    pub(super) fn arrived(&self, bytes: usize) {
        self.lengths().push_back(bytes);
    }

    /// The oldest message is handed on. To be held until it is done with.
    pub(in crate::api::grpc) fn hand_on(&self) -> MessageShare {
        MessageShare {
            share: self.share.clone(),
            bytes: self.lengths().pop_front().unwrap_or_default(),
        }
    }

    fn lengths(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one message of a stream takes; given back when dropped.
pub(in crate::api::grpc) struct MessageShare {
    share: Share,
    bytes: usize,
}

impl Drop for MessageShare {
    fn drop(&mut self) {
        self.share.give_back(self.bytes);
    }
}

/// What one request has taken; given back when dropped.
struct Taken {
    left: BodyMemory,
    bytes: AtomicUsize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.left.0.fetch_add(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

pin_project! {
    /// A body whose bytes are counted as they arrive.
    pub(in crate::api::grpc) struct CountedBody {
        #[pin]
        body: Body,
        share: Share,
    }
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.share.take(data.len())?;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::BodyMemory;

    #[test]
    fn a_stream_gives_back_what_each_of_its_messages_took() {
        let memory = BodyMemory::new(10);
        let stream = memory.share();
        let messages = stream.messages();
        for length in [3, 4] {
            stream.take(length).unwrap();
            messages.arrived(length);
        }
        // A part of the next one.
        stream.take(1).unwrap();
        let (first, second) = (messages.hand_on(), messages.hand_on());
        drop(second);
        assert_eq!(memory.0.load(Ordering::Relaxed), 6);
        drop(first);
        assert_eq!(memory.0.load(Ordering::Relaxed), 9);
        drop((stream, messages));
        assert_eq!(memory.0.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn what_a_request_takes_is_given_back() {
        let memory = BodyMemory::new(10);
        let first = memory.share();
        first.take(4).unwrap();
        first.take(4).unwrap();
        let second = memory.share();
        assert_eq!(second.take(3).unwrap_err().code(), tonic::Code::Unavailable);
        second.take(2).unwrap();
        drop(first);
        assert_eq!(memory.0.load(Ordering::Relaxed), 8);
        drop(second);
        assert_eq!(memory.0.load(Ordering::Relaxed), 10);
    }
}
