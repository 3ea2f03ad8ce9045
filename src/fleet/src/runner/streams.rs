//! Heartbeats over streams: nodes hand their beats in, a few tasks gather them into windows, and the answers go back as those
//! of calls do.
//!
//! A stream that breaks is opened again at the next endpoint. The beats that it had not acknowledged are answered as
//! failed, and their nodes send them again on their own timetable, so nothing is queued here while the coordinator is away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use zephyrfs_proto::coordinator::{NodeHeartbeatRequest, NodeHeartbeatResponse};

use crate::client::Coordinator;
use crate::client::attempt::Attempt;
use crate::client::beat_stream::{BeatStream, Results, WINDOW_LIMIT};
use crate::client::error::CallError;
use crate::runner::calls::{Answer, Caller, Outcome};

/// How long beats are gathered before they go out.
const GATHER: Duration = Duration::from_millis(100);

/// The streams of a fleet.
#[derive(Debug)]
pub struct Streams {
    streams: Vec<mpsc::UnboundedSender<Beat>>,
    answers: mpsc::UnboundedReceiver<Vec<Answer>>,
    /// Each lives as long as its sender.
    couriers: JoinSet<()>,
}

/// A beat, and what is needed to answer it or send it again.
#[derive(Debug)]
struct Beat {
    sender: Sender,
    request: NodeHeartbeatRequest,
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    caller: Caller,
    attempt: Attempt,
}

/// Carries the beats of one stream. There is one beat of each node at most, so what waits is bounded by the fleet.
struct Courier {
    coordinator: Arc<Coordinator>,
    beats: mpsc::UnboundedReceiver<Beat>,
    answers: mpsc::UnboundedSender<Vec<Answer>>,
    waiting: Vec<Beat>,
    unacknowledged: VecDeque<Vec<Sender>>,
}

/// Why a courier stops carrying.
enum Break {
    /// The fleet is done.
    Done,
    /// The stream is broken.
    Broken(CallError),
}

impl Streams {
    /// So many streams, opened once there are beats for them.
    #[must_use]
    pub fn new(coordinator: &Arc<Coordinator>, count: usize) -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let mut couriers = JoinSet::new();
        let streams = (0..count)
            .map(|_| {
                let (stream, beats) = mpsc::unbounded_channel();
                let courier = Courier {
                    coordinator: Arc::clone(coordinator),
                    beats,
                    answers: answer.clone(),
                    waiting: Vec::new(),
                    unacknowledged: VecDeque::new(),
                };
                couriers.spawn(courier.run());
                stream
            })
            .collect();
        Streams {
            streams,
            answers,
            couriers,
        }
    }

    /// Hands a node's beat in.
    pub fn beat(&self, caller: Caller, request: NodeHeartbeatRequest, attempt: Attempt) {
        let Some(stream) = caller
            .node
            .0
            .checked_rem(self.streams.len())
            .and_then(|number| self.streams.get(number))
        else {
            return;
        };
        let sender = Sender { caller, attempt };
        // A courier that panicked is found by whoever waits for answers.
        let _ = stream.send(Beat { sender, request });
    }

    /// The next answers; never, when there are no streams. Nothing is lost when this is dropped.
    ///
    /// # Errors
    /// When a courier panicked.
    pub async fn next(&mut self) -> Result<Vec<Answer>, JoinError> {
        loop {
            tokio::select! {
                Some(answers) = self.answers.recv() => return Ok(answers),
                Some(ended) = self.couriers.join_next() => ended?,
                else => std::future::pending().await,
            }
        }
    }
}

impl Courier {
    async fn run(mut self) {
        let mut attempt = self.coordinator.first_attempt();
        loop {
            if self.waiting.is_empty() && !self.gather().await {
                return;
            }
            let broken = match self.coordinator.open_beat_stream(attempt).await {
                Ok(stream) => match self.carry(stream, &mut attempt).await {
                    Break::Done => return,
                    Break::Broken(error) => error,
                },
                Err(error) => error,
            };
            self.give_up(&broken);
            tokio::time::sleep(attempt.pause()).await;
            attempt = attempt.next();
        }
    }

    /// Waits for beats; false once there will be none.
    async fn gather(&mut self) -> bool {
        let room = WINDOW_LIMIT - self.waiting.len().min(WINDOW_LIMIT);
        self.beats.recv_many(&mut self.waiting, room).await > 0
    }

    async fn carry(&mut self, mut stream: BeatStream, attempt: &mut Attempt) -> Break {
        let mut ticks = tokio::time::interval(GATHER);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                results = stream.acknowledged() => match results {
                    Ok(results) => {
                        // It works: the next stream that breaks is opened again at once.
                        *attempt = attempt.settled();
                        self.answer(results);
                    }
                    Err(error) => return Break::Broken(error),
                },
                any = self.beats.recv_many(&mut self.waiting, WINDOW_LIMIT) => {
                    if any == 0 {
                        return Break::Done;
                    }
                }
                _ = ticks.tick() => {
                    while !self.waiting.is_empty() && !stream.is_full() {
                        if let Err(error) = self.send_window(&mut stream) {
                            return Break::Broken(error);
                        }
                    }
                }
            }
        }
    }

    fn send_window(&mut self, stream: &mut BeatStream) -> Result<(), CallError> {
        let count = self.waiting.len().min(WINDOW_LIMIT);
        let (senders, requests) = self
            .waiting
            .drain(..count)
            .map(|Beat { sender, request }| (sender, request))
            .unzip();
        self.unacknowledged.push_back(senders);
        stream.send(requests)
    }

    /// Answers the beats of the oldest window.
    fn answer(&mut self, results: Results) {
        let senders = self.unacknowledged.pop_front().unwrap_or_default();
        let mut tasks_or_errors: Vec<Result<Vec<String>, CallError>> =
            senders.iter().map(|_| Ok(Vec::new())).collect();
        for (position, result) in results {
            if let Some(place) = tasks_or_errors.get_mut(position) {
                *place = result;
            }
        }
        let answers = senders
            .into_iter()
            .zip(tasks_or_errors)
            .map(|(sender, result)| sender.answer(result.map(accepted)))
            .collect();
        self.give(answers);
    }

    /// Answers everything that was handed in: it has to be sent again.
    fn give_up(&mut self, error: &CallError) {
        let unacknowledged = self.unacknowledged.drain(..).flatten();
        let waiting = self.waiting.drain(..).map(|beat| beat.sender);
        let answers = unacknowledged
            .chain(waiting)
            .map(|sender| sender.answer(Err(error.clone())))
            .collect();
        self.give(answers);
    }

    fn give(&self, answers: Vec<Answer>) {
        // Nobody waits for answers once the fleet is done.
        let _ = self.answers.send(answers);
    }
}

impl Sender {
    fn answer(self, result: Result<NodeHeartbeatResponse, CallError>) -> Answer {
        let Sender { caller, attempt } = self;
        Answer {
            caller,
            outcome: Outcome::Beat(attempt, result),
        }
    }
}

fn accepted(tasks: Vec<String>) -> NodeHeartbeatResponse {
    NodeHeartbeatResponse {
        success: true,
        message: String::new(),
        tasks,
    }
}
