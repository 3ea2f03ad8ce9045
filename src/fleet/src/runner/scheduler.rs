//! The life of all nodes: registering, beating, working on tasks, failing and coming back.
//!
//! One loop over one agenda: whatever is due is looked at, and the calls it leads to run as short-lived
//! tasks. A thousand nodes cost a thousand agenda entries, not a thousand timers. A call that may be tried
//! again goes back on the agenda, so that a coordinator that is down holds nothing up.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use zephyrfs_proto::coordinator::{NodeHeartbeatRequest, NodeHeartbeatResponse, RegisterNodeResponse};

use crate::client::attempt::Attempt;
use crate::client::error::CallError;
use crate::client::{Coordinator, IdempotencyKey};
use crate::fleet::Fleet;
use crate::layout::NodeIndex;
use crate::losses::Losses;
use crate::measure::counters::Counters;
use crate::node::{CopyRate, Life, Presence};
use crate::operation::Operation;
use crate::runner::agenda::Agenda;
use crate::runner::calls::{Answer, Caller, Calls, Outcome};
use crate::runner::failures::Absence;
use crate::runner::rhythm::Rhythm;
use crate::runner::streams::Streams;
use crate::runner::task_work::{Settled, Step, TaskWork};

/// Beats that are handed to streams before anything else is looked at again.
const BEATS_AT_ONCE: usize = 100;

/// How the nodes live.
#[derive(Clone, Debug)]
pub struct LifePlan {
    /// Time between two heartbeats of a node.
    pub heartbeat: Duration,
    /// How fast they work on tasks; `None`: they ignore them.
    pub copy_rate: Option<CopyRate>,
    /// Who fails, and when after `begin`.
    pub absences: Vec<Absence>,
    /// Is cancelled when the times of failures begin to count.
    pub begin: CancellationToken,
    /// How many streams their heartbeats go over; 0: each is a call of its own.
    pub streams: usize,
}

/// Runs all nodes.
#[derive(Debug)]
pub struct Scheduler {
    fleet: Arc<Fleet>,
    coordinator: Arc<Coordinator>,
    counters: Arc<Counters>,
    losses: Arc<Losses>,
    plan: LifePlan,
    tasks: Option<TaskWork>,
    rhythm: Rhythm,
    agenda: Agenda<Event>,
    /// Beats that go over streams: they do not wait for calls to end.
    beats: Agenda<Event>,
    calls: Calls,
    streams: Option<Streams>,
    /// Nodes of which the first registration is not settled yet.
    unsettled: HashSet<NodeIndex>,
    settled: CancellationToken,
}

/// Something due, for a node in one of its lives.
#[derive(Debug)]
struct Event {
    node: NodeIndex,
    life: Life,
    due: Due,
}

#[derive(Debug)]
enum Due {
    Register(Attempt, IdempotencyKey),
    Beat(Attempt),
    Work(Step),
    Fail,
    ComeBack,
}

impl Scheduler {
    /// Nodes that begin to register as soon as `run` is called.
    #[must_use]
    pub fn new(
        fleet: Arc<Fleet>,
        coordinator: Arc<Coordinator>,
        counters: Arc<Counters>,
        losses: Arc<Losses>,
        plan: LifePlan,
    ) -> Self {
        let work = |rate| {
            TaskWork::new(
                Arc::clone(&fleet),
                Arc::clone(&coordinator),
                Arc::clone(&counters),
                Arc::clone(&losses),
                rate,
            )
        };
        Scheduler {
            tasks: plan.copy_rate.map(work),
            rhythm: Rhythm::new(Instant::now(), plan.heartbeat, fleet.len()),
            unsettled: fleet.indexes().collect(),
            calls: Calls::new(Arc::clone(&coordinator)),
            streams: (plan.streams > 0).then(|| Streams::new(&coordinator, plan.streams)),
            fleet,
            coordinator,
            counters,
            losses,
            plan,
            agenda: Agenda::new(),
            beats: Agenda::new(),
            settled: CancellationToken::new(),
        }
    }

    /// Is cancelled once every node has registered, been rejected, or failed.
    #[must_use]
    pub fn settled(&self) -> CancellationToken {
        self.settled.clone()
    }

    /// Lets the nodes live until `stop`. Calls that are under way then are dropped.
    ///
    /// # Errors
    /// When the task of a call panicked.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), JoinError> {
        self.schedule_registrations();
        let begin = self.plan.begin.clone();
        loop {
            let next = if self.calls.is_full() {
                None
            } else {
                self.agenda.next_at()
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = begin.cancelled(), if !self.plan.absences.is_empty() => self.schedule_absences(),
                Some(answer) = self.calls.next() => self.on_answer(answer?),
                answers = streamed(&mut self.streams) => {
                    for answer in answers? {
                        self.on_answer(answer);
                    }
                }
                () = sleep_until(self.beats.next_at()) => {
                    for _ in 0..BEATS_AT_ONCE {
                        let Some(event) = self.beats.take_due(Instant::now()) else { break };
                        self.on_event(event);
                    }
                }
                () = sleep_until(next) => {
                    if let Some(event) = self.agenda.take_due(Instant::now()) {
                        self.on_event(event);
                    }
                }
            }
        }
    }

    fn schedule_registrations(&mut self) {
        let start = Instant::now();
        for node in self.fleet.indexes() {
            self.schedule_registration(start, node);
        }
    }

    fn schedule_absences(&mut self) {
        let start = Instant::now();
        for Absence { node, from, until } in std::mem::take(&mut self.plan.absences) {
            self.schedule(start + from, node, Due::Fail);
            if let Some(until) = until {
                self.schedule(start + until, node, Due::ComeBack);
            }
        }
    }

    fn schedule(&mut self, at: Instant, node: NodeIndex, due: Due) {
        let life = self.fleet.with(node, |node| node.life());
        let agenda = match due {
            Due::Beat(_) if self.streams.is_some() => &mut self.beats,
            _ => &mut self.agenda,
        };
        agenda.add(at, Event { node, life, due });
    }

    fn schedule_registration(&mut self, at: Instant, node: NodeIndex) {
        let attempt = self.coordinator.first_attempt();
        self.schedule(at, node, Due::Register(attempt, IdempotencyKey::random()));
    }

    fn schedule_beat(&mut self, node: NodeIndex, now: Instant) {
        if self.fleet.with(node, |node| node.presence()) == Presence::Active {
            let attempt = self.coordinator.first_attempt();
            self.schedule(self.rhythm.next(node, now), node, Due::Beat(attempt));
        }
    }

    fn on_event(&mut self, Event { node, life, due }: Event) {
        let now = Instant::now();
        let caller = Caller { node, life };
        let same_life = self.fleet.with(node, |node| node.life()) == life;
        match due {
            Due::Fail => {
                self.fleet.with(node, |node| {
                    node.fail();
                    self.losses.lost(node.chunks().cloned(), now);
                });
                self.settle(node);
            }
            Due::ComeBack => {
                self.fleet.with(node, |node| {
                    node.come_back(now);
                    self.losses.returned(node.chunks().cloned(), now);
                });
                self.counters.registered_again.count();
                self.schedule_registration(now, node);
            }
            Due::Register(attempt, key) if same_life => {
                self.calls
                    .register(caller, self.fleet.profile(node), attempt, key);
            }
            Due::Beat(attempt) if same_life => {
                let request = NodeHeartbeatRequest {
                    node_id: self.fleet.profile(node).id.clone(),
                    stats: Some(self.fleet.with(node, |node| node.stats(now))),
                };
                match &self.streams {
                    Some(streams) => streams.beat(caller, request, attempt),
                    None => self.calls.beat(caller, request, attempt),
                }
            }
            Due::Work(step) if same_life => {
                let confirmation = self
                    .tasks
                    .as_ref()
                    .and_then(|tasks| tasks.confirmation(node, step));
                if let Some(confirmation) = confirmation {
                    self.calls
                        .confirm(caller, &self.fleet.profile(node).id, confirmation);
                }
            }
            Due::Register(..) | Due::Beat(_) | Due::Work(_) => {}
        }
    }

    /// Answers to a node that has failed since are lost with it.
    fn on_answer(
        &mut self,
        Answer {
            caller: Caller { node, life },
            outcome,
        }: Answer,
    ) {
        if self.fleet.with(node, |node| node.life()) != life {
            return;
        }
        let now = Instant::now();
        match outcome {
            Outcome::Registered(attempt, key, result) => self.on_registered(node, attempt, key, result, now),
            Outcome::Beat(attempt, result) => self.on_beat(node, attempt, result, now),
            Outcome::Confirmed(confirmation, result) => {
                let settled = self
                    .tasks
                    .as_ref()
                    .map(|tasks| tasks.settle(node, confirmation, result));
                match settled {
                    Some(Settled::Again { pause, step }) => self.schedule(now + pause, node, Due::Work(step)),
                    Some(Settled::Over) | None => {}
                }
            }
        }
    }

    fn on_registered(
        &mut self,
        node: NodeIndex,
        attempt: Attempt,
        key: IdempotencyKey,
        result: Result<RegisterNodeResponse, CallError>,
        now: Instant,
    ) {
        match result.and_then(|reply| self.check_id(node, &reply)) {
            Ok(()) => {
                self.fleet.with(node, |node| node.registered());
                self.settle(node);
                self.schedule_beat(node, now);
            }
            Err(error) if error.is_retryable() => {
                self.schedule(now + attempt.pause(), node, Due::Register(attempt.next(), key));
            }
            Err(_) => {
                self.fleet.with(node, |node| node.rejected());
                self.counters.definite_failures.count();
                self.settle(node);
            }
        }
    }

    /// A node that names its id keeps it.
    fn check_id(&self, node: NodeIndex, reply: &RegisterNodeResponse) -> Result<(), CallError> {
        let asked = &self.fleet.profile(node).id;
        if reply.assigned_node_id == *asked {
            return Ok(());
        }
        let message = format!("node {asked:?} was given the id {:?}", reply.assigned_node_id);
        let error = CallError::BadReply {
            operation: Operation::RegisterNode,
            message,
        };
        self.coordinator.record(&error);
        Err(error)
    }

    fn on_beat(
        &mut self,
        node: NodeIndex,
        attempt: Attempt,
        result: Result<NodeHeartbeatResponse, CallError>,
        now: Instant,
    ) {
        match result {
            Ok(reply) => {
                self.counters.heartbeats.count();
                self.schedule_beat(node, now);
                let Some(tasks) = &self.tasks else { return };
                for (at, step) in tasks.accept(node, &reply.tasks, now) {
                    self.schedule(at, node, Due::Work(step));
                }
            }
            // The coordinator does not know the node: it has to introduce itself.
            Err(CallError::Refused { .. }) => {
                self.fleet.with(node, |node| node.forgotten());
                self.counters.registered_again.count();
                self.schedule_registration(now, node);
            }
            Err(error) if error.is_retryable() => {
                self.schedule(now + attempt.pause(), node, Due::Beat(attempt.next()));
            }
            Err(_) => {
                self.counters.definite_failures.count();
                self.schedule_beat(node, now);
            }
        }
    }

    fn settle(&mut self, node: NodeIndex) {
        if self.unsettled.remove(&node) && self.unsettled.is_empty() {
            self.settled.cancel();
        }
    }
}

/// Never, without streams.
async fn streamed(streams: &mut Option<Streams>) -> Result<Vec<Answer>, JoinError> {
    match streams {
        Some(streams) => streams.next().await,
        None => std::future::pending().await,
    }
}

/// Never, when there is nothing to wait for.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
