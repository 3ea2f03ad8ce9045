//! Streams of heartbeats: windows come in, and each is acknowledged, in order.
//!
//! A few windows of a stream are worked on at a time, and the next is read once the oldest of them has been taken by the
//! transport. So whoever sends faster than beats can be taken, or does not read what it is answered, finds the transport
//! full and waits. Windows take memory that is for all requests, so who takes no acknowledgement for long is given up: a task
//! of each stream's own sees to that, since nobody asks a stream for more whose client does not read.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, Stream, StreamExt as _, unfold};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use zephyrfs_proto::coordinator as wire;

use super::convert::acknowledgement;
use super::middleware::{Deadline, MessageShare, Messages, blamed, passed};
use super::status::status;
use crate::metrics::StreamedBeats;
use crate::service::{HeartbeatReport, Service};

/// Windows of one stream that are worked on at a time.
const WINDOWS_AT_ONCE: usize = 4;

/// The acknowledgements of a stream.
pub(super) type Acks = BoxStream<'static, Ack>;

/// An acknowledgement, or why there are no more.
type Ack = Result<wire::HeartbeatWindowAck, Status>;

/// Opens streams.
pub(super) struct HeartbeatStreams {
    service: Arc<Service>,
    places: Arc<Semaphore>,
    /// How long an acknowledgement may wait to be taken.
    patience: Duration,
    stopping: CancellationToken,
}

/// The windows of a stream that come in.
struct Windows {
    messages: Streaming<wire::HeartbeatWindow>,
    /// What they take.
    memory: Option<Messages>,
    deadline: Option<Deadline>,
    stopping: CancellationToken,
    has_ended: bool,
    _place: OwnedSemaphorePermit,
}

impl HeartbeatStreams {
    /// Over a service; so many streams may be open at a time, and all end when `stopping` is cancelled. An acknowledgement
    /// waits so long to be taken.
    pub(super) fn new(
        service: Arc<Service>,
        count: usize,
        patience: Duration,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            service,
            places: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))),
            patience,
            stopping,
        }
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// UNAVAILABLE if there are too many.
    pub(super) fn open(
        &self,
        request: Request<Streaming<wire::HeartbeatWindow>>,
    ) -> Result<Response<Acks>, Status> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Status::unavailable(
                "too many streams of heartbeats are open at this replica; open one at another, or try again in a moment",
            )
        })?;
        let (_, extensions, messages) = request.into_parts();
        let windows = Windows {
            messages,
            memory: extensions.get::<Messages>().cloned(),
            deadline: extensions.get::<Deadline>().copied(),
            stopping: self.stopping.clone(),
            has_ended: false,
            _place: place,
        };
        let deadline = windows.deadline;
        let received = extensions.get::<StreamedBeats>().cloned();
        let service = Arc::clone(&self.service);
        let acks = unfold(windows, Windows::next)
            .map(move |window| acknowledge(Arc::clone(&service), received.clone(), deadline, window))
            .buffered(WINDOWS_AT_ONCE);
        // One place is for an acknowledgement, no more: what is not taken is not worked on either. The other is for the last
        // word to a client that takes none.
        let (give, taken) = mpsc::channel(2);
        let last_word = give.clone().try_reserve_owned();
        let last_word = last_word.map_err(|_| Status::internal("a new channel is full"))?;
        tokio::spawn(hand_over(acks, give, last_word, self.patience));
        Ok(Response::new(ReceiverStream::new(taken).boxed()))
    }
}

/// Hands acknowledgements over as they are taken, until there are no more, the client has gone, or takes none for so long.
async fn hand_over(
    acks: impl Stream<Item = Ack>,
    give: mpsc::Sender<Ack>,
    last_word: OwnedPermit<Ack>,
    patience: Duration,
) {
    let mut acks = std::pin::pin!(acks);
    loop {
        let next = tokio::select! {
            biased;
            () = give.closed() => None,
            ack = acks.next() => ack,
        };
        let Some(ack) = next else {
            return;
        };
        match give.send_timeout(ack, patience).await {
            Ok(()) => {}
            Err(SendTimeoutError::Closed(_)) => return,
            Err(SendTimeoutError::Timeout(_)) => {
                last_word.send(Err(given_up(patience)));
                return;
            }
        }
    }
}

/// A window, and what it takes of the memory for requests.
type Window = (wire::HeartbeatWindow, Option<MessageShare>);

async fn acknowledge(
    service: Arc<Service>,
    received: Option<StreamedBeats>,
    deadline: Option<Deadline>,
    window: Result<Window, Status>,
) -> Ack {
    let (wire::HeartbeatWindow { sequence, beats }, _memory) = window?;
    if let Some(received) = received {
        received.count(beats.len());
    }
    let reports = beats.into_iter().map(HeartbeatReport::from).collect();
    let deadline = deadline.map(|deadline| deadline.0);
    let taken = service.heartbeats(reports, deadline).await.map_err(status)?;
    Ok(acknowledgement(sequence, taken))
}

impl Windows {
    /// The next window; or, last of all, why there are no more. Nothing after the client has closed its side.
    async fn next(mut self) -> Option<(Result<Window, Status>, Self)> {
        if self.has_ended {
            return None;
        }
        let next = tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(stopping()),
            () = passed(self.deadline) => Err(late()),
            message = self.messages.message() => {
                message.map_err(|status| blamed(&status).unwrap_or(status)).transpose()?
            }
        };
        self.has_ended = next.is_err();
        let next = next.map(|window| (window, self.memory.as_ref().map(Messages::hand_on)));
        Some((next, self))
    }
}

fn stopping() -> Status {
    Status::unavailable(
        "this replica is stopping; open the stream at another one, and send again what was not acknowledged",
    )
}

fn given_up(patience: Duration) -> Status {
    Status::unavailable(format!(
        "no acknowledgement was taken for {} s; open the stream again, and send again what was not acknowledged",
        patience.as_secs()
    ))
}

fn late() -> Status {
    Status::deadline_exceeded(
        "the deadline of the stream passed; windows that were not acknowledged may be sent again",
    )
}
