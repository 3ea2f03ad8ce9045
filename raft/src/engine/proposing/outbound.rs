//! Handing commands to the leader, all of them over one stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use openraft::type_config::AsyncRuntime;
use tokio::sync::OwnedSemaphorePermit;
use zephyrfs_core::engine::EngineError;
use zephyrfs_proto::peer::forwarded_outcome::Outcome;
use zephyrfs_proto::peer::{ForwardReply, ForwardRequest, ForwardedCommand, ForwardedOutcome};

use super::batches::batches;
use super::fate::Fate;
use super::leader::Leader;
use super::{Attempt, inbound};
use crate::peers::{Lane, PeerError, Transport, Whoami, pause_after};

/// Commands that wait to be written to the stream. Behind them, proposers wait.
const WAITING: usize = 256;

/// A command to hand over.
pub(super) struct Command {
    pub(super) encoded: Arc<[u8]>,
    pub(super) sent_before: Option<u64>,
    /// Its place, given back when it is answered.
    pub(super) admitted: Arc<OwnedSemaphorePermit>,
    pub(super) fate: Arc<Fate>,
}

/// Hands commands to whoever leads.
pub(in crate::engine) struct Forwarder<R: AsyncRuntime> {
    transport: Arc<dyn Transport>,
    whoami: Arc<Whoami<R>>,
    patience: Duration,
    session: Mutex<Option<Session>>,
}

/// The stream to one leader in one term.
struct Session {
    leader: Leader,
    queue: mpsc::Sender<Waiting>,
    /// Whether the leader answered at all.
    is_open: Arc<AtomicBool>,
    /// Streams before this one, one after another, that the leader did not answer.
    failures: u32,
}

/// A command in the queue. One that is dropped there was never sent, which its proposer learns by that.
struct Waiting {
    command: Command,
    tell: oneshot::Sender<Attempt>,
}

/// What was sent and is not answered.
#[derive(Default)]
struct Pending {
    next: u64,
    sent: BTreeMap<u64, Sent>,
    /// Whether nothing more will be answered.
    has_ended: bool,
}

/// What the end of a stream means for what was sent and not answered.
enum End {
    NotTaken,
    Lost(String),
}

struct Sent {
    tell: oneshot::Sender<Attempt>,
    _admitted: Arc<OwnedSemaphorePermit>,
}

type SharedPending = Arc<Mutex<Pending>>;

impl<R: AsyncRuntime> Forwarder<R> {
    pub(in crate::engine) fn new(
        transport: Arc<dyn Transport>,
        whoami: Arc<Whoami<R>>,
        patience: Duration,
    ) -> Self {
        Self {
            transport,
            whoami,
            patience,
            session: Mutex::new(None),
        }
    }

    /// Hands a command to a leader and waits for what comes of it.
    pub(super) async fn hand_over(&self, leader: &Leader, command: Command) -> Attempt {
        let (tell, told) = oneshot::channel();
        let mut queue = self.queue_to(leader);
        if queue.send(Waiting { command, tell }).await.is_err() {
            return Attempt::NotTaken;
        }
        // Dropped unanswered: it was still in the queue when the stream ended.
        told.await.unwrap_or(Attempt::NotTaken)
    }

    fn queue_to(&self, leader: &Leader) -> mpsc::Sender<Waiting> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failures = 0;
        if let Some(before) = &mut *session {
            if before.leader == *leader && !before.queue.is_closed() {
                return before.queue.clone();
            }
            if before.leader == *leader && !before.is_open.load(Ordering::Relaxed) {
                failures = before.failures.saturating_add(1);
            }
            // What is in it is still sent and answered, and then both ends let the stream go.
            before.queue.close_channel();
        }
        let (queue, waiting) = mpsc::channel(WAITING);
        let is_open = Arc::new(AtomicBool::new(false));
        *session = Some(Session {
            leader: leader.clone(),
            queue: queue.clone(),
            is_open: Arc::clone(&is_open),
            failures,
        });
        let service = self
            .transport
            .reach(&leader.address, Lane::Requests, self.patience);
        let (whoami, leader, patience) = (Arc::clone(&self.whoami), leader.clone(), self.patience);
        let mut ours = queue.clone();
        drop(R::spawn(async move {
            let pending = SharedPending::default();
            let requests = requests(whoami, &leader, waiting, Arc::clone(&pending));
            if failures > 0 {
                R::sleep(pause_after(failures)).await;
            }
            let opening = R::timeout(patience, service.forward(Box::pin(requests)));
            let end = match opening.await {
                Ok(Ok(replies)) => {
                    is_open.store(true, Ordering::Relaxed);
                    End::Lost(read_replies(replies, &pending).await)
                }
                // Nobody was asked, or somebody else, who took nothing.
                Ok(Err(PeerError::Unreachable(_) | PeerError::Stranger(_))) => End::NotTaken,
                Ok(Err(error)) => End::Lost(error.to_string()),
                Err(_) => End::Lost("the leader did not answer in time".to_owned()),
            };
            ours.close_channel();
            let mut pending = lock(&pending);
            pending.has_ended = true;
            for sent in std::mem::take(&mut pending.sent).into_values() {
                let attempt = match &end {
                    End::NotTaken => Attempt::NotTaken,
                    End::Lost(reason) => Attempt::Lost(reason.clone()),
                };
                // Whoever proposed it may have given up.
                drop(sent.tell.send(attempt));
            }
        }));
        queue
    }
}

fn lock(pending: &SharedPending) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

fn requests<R: AsyncRuntime>(
    whoami: Arc<Whoami<R>>,
    leader: &Leader,
    waiting: mpsc::Receiver<Waiting>,
    pending: SharedPending,
) -> impl futures::Stream<Item = ForwardRequest> + Send + use<R> {
    let (id, term) = (leader.id, leader.term);
    batches(waiting, |waiting| waiting.command.encoded.len()).filter_map(move |batch| {
        let mut pending = lock(&pending);
        let commands = batch
            .into_iter()
            .filter_map(|waiting| pending.send(waiting))
            .collect::<Vec<_>>();
        let request = ForwardRequest {
            route: Some(whoami.route_to(id)),
            term,
            commands,
        };
        std::future::ready((!request.commands.is_empty()).then_some(request))
    })
}

impl Pending {
    /// Notes that a command is sent. After the end it is not, and its proposer learns that by its being dropped; nor is one
    /// that its proposer has given up.
    fn send(&mut self, Waiting { command, tell }: Waiting) -> Option<ForwardedCommand> {
        if self.has_ended || !command.fate.send() {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let Command {
            encoded,
            sent_before,
            admitted,
            fate: _,
        } = command;
        self.sent.insert(
            number,
            Sent {
                tell,
                _admitted: admitted,
            },
        );
        Some(ForwardedCommand {
            number,
            proposal: encoded.to_vec(),
            sent_before,
        })
    }
}

/// Passes answers on until the stream ends, and says why it did.
async fn read_replies(mut replies: crate::peers::Replies<ForwardReply>, pending: &SharedPending) -> String {
    loop {
        match replies.next().await {
            Some(Ok(ForwardReply { outcomes })) => {
                for ForwardedOutcome { number, outcome } in outcomes {
                    let sent = lock(pending).sent.remove(&number);
                    if let Some(sent) = sent {
                        // Whoever proposed it may have given up.
                        drop(sent.tell.send(attempt(outcome)));
                    }
                }
            }
            Some(Err(error @ PeerError::Unreachable(_))) => return error.to_string(),
            Some(Err(error)) => {
                return format!("the leader was lost while the write was on its way: {error}");
            }
            None => return "the leader ended the stream while the write was on its way".to_owned(),
        }
    }
}

fn attempt(outcome: Option<Outcome>) -> Attempt {
    match outcome {
        Some(Outcome::Decided(bytes)) => match inbound::decode_decision(&bytes) {
            Ok(decision) => Attempt::Decided(Arc::new(decision)),
            Err(error) => Attempt::Refused(EngineError::UnknownOutcome {
                reason: format!("the leader's answer cannot be read: {error}"),
            }),
        },
        Some(Outcome::NotLeader(_)) => Attempt::NotTaken,
        Some(Outcome::Overloaded(reason)) => Attempt::Refused(EngineError::Overloaded { reason }),
        Some(Outcome::Lost(reason)) => Attempt::Lost(reason),
        Some(Outcome::Unknown(reason)) => Attempt::Refused(EngineError::UnknownOutcome { reason }),
        Some(Outcome::Failed(reason)) => Attempt::Refused(EngineError::Failed { reason }),
        None => Attempt::Lost("the leader's answer says nothing".to_owned()),
    }
}
