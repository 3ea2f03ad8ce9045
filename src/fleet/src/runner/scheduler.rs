//! The life of all nodes: registering, beating, working on tasks, failing and coming back.
//!
//! One loop over one agenda: whatever is due is looked at, and the calls it leads to run as short-lived tasks of bounded
//! number. A thousand nodes cost a thousand agenda entries, not a thousand timers. A call that may be tried again goes
//! back on the agenda, so that a coordinator that is down holds nothing up.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use zephyrfs_proto::coordinator::{NodeHeartbeatRequest, NodeHeartbeatResponse, RegisterNodeResponse};

use crate::client::attempt::Attempt;
use crate::client::error::CallError;
use crate::client::{Coordinator, IdempotencyKey};
use crate::fleet::Fleet;
use crate::layout::NodeIndex;
use crate::measure::counters::Counters;
use crate::node::{CopyRate, Life, Presence};
use crate::operation::Operation;
use crate::runner::agenda::Agenda;
use crate::runner::failures::Absence;
use crate::runner::task_work::{Confirmation, Settled, Step, TaskWork};

/// Calls of nodes that run at the same time at most.
const CALLS_LIMIT: usize = 256;

/// How the nodes live.
#[derive(Clone, Debug)]
pub struct LifePlan {
    /// Time between two heartbeats of a node.
    pub heartbeat: Duration,
    /// What they do with tasks; `None`: nothing.
    pub copy_rate: Option<CopyRate>,
    /// Who fails, and when.
    pub absences: Vec<Absence>,
}

/// Runs all nodes.
#[derive(Debug)]
pub struct Scheduler {
    fleet: Arc<Fleet>,
    coordinator: Arc<Coordinator>,
    counters: Arc<Counters>,
    plan: LifePlan,
    tasks: Option<TaskWork>,
    start: Instant,
    agenda: Agenda<Event>,
    calls: JoinSet<Answer>,
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

#[derive(Debug)]
struct Answer {
    node: NodeIndex,
    life: Life,
    call: Call,
}

#[derive(Debug)]
enum Call {
    Registered(Attempt, IdempotencyKey, Result<RegisterNodeResponse, CallError>),
    Beat(Attempt, Result<NodeHeartbeatResponse, CallError>),
    Confirmed(Confirmation, Result<(), CallError>),
}

impl Scheduler {
    /// Nodes that begin to register as soon as `run` is called.
    #[must_use]
    pub fn new(
        fleet: Arc<Fleet>,
        coordinator: Arc<Coordinator>,
        counters: Arc<Counters>,
        plan: LifePlan,
    ) -> Self {
        let tasks = plan.copy_rate.map(|rate| {
            TaskWork::new(
                Arc::clone(&fleet),
                Arc::clone(&coordinator),
                Arc::clone(&counters),
                rate,
            )
        });
        Scheduler {
            unsettled: fleet.indexes().collect(),
            fleet,
            coordinator,
            counters,
            plan,
            tasks,
            start: Instant::now(),
            agenda: Agenda::new(),
            calls: JoinSet::new(),
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
        self.start = Instant::now();
        self.fill_agenda();
        loop {
            let next = self.agenda.next_at().filter(|_| self.calls.len() < CALLS_LIMIT);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(answer) = self.calls.join_next() => self.on_answer(answer?),
                () = sleep_until(next) => {
                    if let Some(event) = self.agenda.take_due(Instant::now()) {
                        self.on_event(event);
                    }
                }
            }
        }
    }

    fn fill_agenda(&mut self) {
        for node in self.fleet.indexes() {
            self.schedule(self.start, node, self.registration());
        }
        for Absence { node, from, until } in self.plan.absences.clone() {
            self.schedule(self.start + from, node, Due::Fail);
            if let Some(until) = until {
                self.schedule(self.start + until, node, Due::ComeBack);
            }
        }
    }

    fn schedule(&mut self, at: Instant, node: NodeIndex, due: Due) {
        let life = self.fleet.with(node, |node| node.life());
        self.agenda.add(at, Event { node, life, due });
    }

    fn registration(&self) -> Due {
        Due::Register(self.coordinator.first_attempt(), IdempotencyKey::random())
    }

    fn on_event(&mut self, Event { node, life, due }: Event) {
        let now = Instant::now();
        let same_life = self.fleet.with(node, |node| node.life()) == life;
        match due {
            Due::Fail => {
                self.fleet.with(node, |node| node.fail());
                self.settle(node);
            }
            Due::ComeBack => {
                self.fleet.with(node, |node| node.come_back(now));
                self.counters.registered_again.count();
                self.schedule(now, node, self.registration());
            }
            Due::Register(attempt, key) if same_life => self.register(node, life, attempt, key),
            Due::Beat(attempt) if same_life => self.beat(node, life, attempt),
            Due::Work(step) if same_life => self.work(node, step),
            Due::Register(..) | Due::Beat(_) | Due::Work(_) => {}
        }
    }

    fn register(&mut self, node: NodeIndex, life: Life, attempt: Attempt, key: IdempotencyKey) {
        let request = self.fleet.profile(node).registration();
        let coordinator = Arc::clone(&self.coordinator);
        self.calls.spawn(async move {
            let result = coordinator.call(request, attempt, Some(&key)).await;
            Answer {
                node,
                life,
                call: Call::Registered(attempt, key, result),
            }
        });
    }

    fn beat(&mut self, node: NodeIndex, life: Life, attempt: Attempt) {
        let stats = self.fleet.with(node, |node| node.stats(Instant::now()));
        let request = NodeHeartbeatRequest {
            node_id: self.fleet.profile(node).id.clone(),
            stats: Some(stats),
        };
        let coordinator = Arc::clone(&self.coordinator);
        self.calls.spawn(async move {
            let result = coordinator.call(request, attempt, None).await;
            Answer {
                node,
                life,
                call: Call::Beat(attempt, result),
            }
        });
    }

    fn work(&mut self, node: NodeIndex, step: Step) {
        let Some(tasks) = &self.tasks else { return };
        let Some(confirmation) = tasks.confirmation(node, step) else {
            return;
        };
        let life = self.fleet.with(node, |node| node.life());
        let coordinator = Arc::clone(&self.coordinator);
        let request = confirmation.request(&self.fleet.profile(node).id);
        self.calls.spawn(async move {
            let result = coordinator
                .call(request, confirmation.attempt, Some(&confirmation.key))
                .await;
            Answer {
                node,
                life,
                call: Call::Confirmed(confirmation, result.map(|_| ())),
            }
        });
    }

    /// Answers to a node that has failed since are lost with it.
    fn on_answer(&mut self, Answer { node, life, call }: Answer) {
        if self.fleet.with(node, |node| node.life()) != life {
            return;
        }
        match call {
            Call::Registered(attempt, key, result) => self.on_registered(node, attempt, key, result),
            Call::Beat(attempt, result) => self.on_beat(node, attempt, result),
            Call::Confirmed(confirmation, result) => {
                let Some(tasks) = &self.tasks else { return };
                match tasks.settle(node, confirmation, result) {
                    Settled::Over => {}
                    Settled::Again { pause, step } => {
                        self.schedule(Instant::now() + pause, node, Due::Work(step));
                    }
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
    ) {
        match result.and_then(|reply| self.check_id(node, &reply)) {
            Ok(()) => {
                self.fleet.with(node, |node| node.registered());
                self.settle(node);
                self.schedule_beat(node);
            }
            Err(error) if error.is_retryable() => {
                self.schedule(
                    Instant::now() + attempt.pause(),
                    node,
                    Due::Register(attempt.next(), key),
                );
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
    ) {
        let now = Instant::now();
        match result {
            Ok(reply) => {
                self.counters.heartbeats.count();
                self.schedule_beat(node);
                let Some(tasks) = &self.tasks else { return };
                for (at, step) in tasks.accept(node, &reply.tasks, now) {
                    self.schedule(at, node, Due::Work(step));
                }
            }
            // The coordinator does not know the node: it has to introduce itself.
            Err(CallError::Refused { .. }) => {
                self.fleet.with(node, |node| node.forgotten());
                self.counters.registered_again.count();
                self.schedule(now, node, self.registration());
            }
            Err(error) if error.is_retryable() => {
                self.schedule(now + attempt.pause(), node, Due::Beat(attempt.next()));
            }
            Err(_) => {
                self.counters.definite_failures.count();
                self.schedule_beat(node);
            }
        }
    }

    /// Beats keep to a time of their own within the interval: the nodes' are spread over it evenly, and stay so.
    fn schedule_beat(&mut self, node: NodeIndex) {
        if self.fleet.with(node, |node| node.presence()) != Presence::Active {
            return;
        }
        let interval = self.plan.heartbeat.as_secs_f64();
        let phase = interval * node.0 as f64 / self.fleet.len() as f64;
        let since = self.start.elapsed().as_secs_f64() - phase;
        let beats = (since / interval).floor().max(-1.0) + 1.0;
        let at = self.start + Duration::from_secs_f64(phase + beats * interval);
        self.schedule(at, node, Due::Beat(self.coordinator.first_attempt()));
    }

    fn settle(&mut self, node: NodeIndex) {
        if self.unsettled.remove(&node) && self.unsettled.is_empty() {
            self.settled.cancel();
        }
    }
}

/// Never, when there is nothing to wait for.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
