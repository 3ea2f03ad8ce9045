//! Commands on their way through the log, proposed here or by whoever leads.
//!
//! A command is handed to one leader at a time. When that leader is lost before it answered, the next one finds out whether
//! the command took effect, and takes it only if it did not: see [`crate::recent`].

mod batches;
mod fate;
mod inbound;
mod leader;
mod outbound;

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::Select2;
use openraft::error::ClientWriteError;
use openraft::type_config::AsyncRuntime;
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::{Proposal, Response};

use fate::Fate;
pub(super) use leader::Leader;
pub(super) use outbound::Forwarder;

use super::RaftEngine;
use crate::disk::Disk;
use crate::recent::{Decision, Found};
use crate::responder::Answering;
use crate::types::{LeaderTerm, LogCommand, Outcome};

/// The unit in which commands on their way are counted: a small command takes one.
pub(super) const ADMISSION_UNIT: usize = 1 << 10;

/// Nobody waits longer for a leader than this: an election takes a second, so there is no quorum.
const LEADER_PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before asking again whoever does not lead after all.
const PAUSE: Duration = Duration::from_millis(10);

/// What one attempt came to.
pub(super) enum Attempt {
    /// It is decided.
    Decided(Arc<Decision>),
    /// It was not taken; another leader may take it.
    NotTaken,
    /// It was not taken, and will not be.
    Refused(EngineError),
    /// It was handed over, and what came of it is not known.
    Lost(String),
}

/// A command of this replica's clients.
struct Outgoing {
    /// Until an attempt here has used it up; it can be decoded again.
    proposal: Option<Proposal>,
    encoded: Arc<[u8]>,
    admitted: Arc<OwnedSemaphorePermit>,
    /// Whether the rules themselves see to it that it takes effect once.
    is_keyed: bool,
    /// Whatever becomes of it is decided above this index.
    above: u64,
    /// The term of the leader that it was handed to and that was lost, if any.
    lost_in: Option<u64>,
    fate: Arc<Fate>,
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Has a command decided, and waits for that, through elections too.
    pub(super) async fn propose(
        &self,
        proposal: Proposal,
        within: Duration,
    ) -> Result<At<Response>, EngineError> {
        let encoded = LogCommand::encode_proposal(&proposal).map_err(|error| EngineError::Failed {
            reason: format!("a command cannot be encoded: {error}"),
        })?;
        let outgoing = Outgoing {
            admitted: Arc::new(self.admit(encoded.len())?),
            is_keyed: proposal.idempotency.is_some(),
            proposal: Some(proposal),
            encoded: encoded.into(),
            above: self.applied_index(),
            lost_in: None,
            fate: Arc::default(),
        };
        let fate = Arc::clone(&outgoing.fate);
        match R::timeout(within, self.until_decided(outgoing)).await {
            Ok(result) => result,
            Err(_) if fate.withdraw() => Err(EngineError::Unavailable {
                reason: match self.stage.waiting() {
                    Some(waiting) => format!("nothing was changed: {waiting}"),
                    None => "no leader was found before the deadline; nothing was changed".to_owned(),
                },
            }),
            Err(_) => Err(EngineError::UnknownOutcome {
                reason: "no answer came before the deadline".to_owned(),
            }),
        }
    }

    /// Hands a command to one leader after another, until one has it decided.
    async fn until_decided(&self, mut outgoing: Outgoing) -> Result<At<Response>, EngineError> {
        let mut lost: Option<String> = None;
        loop {
            // The same leader cannot tell what became of a command, unless the rules can.
            let after = outgoing.lost_in.filter(|_| !outgoing.is_keyed);
            let Some(leader) = self.leader_after(after, LEADER_PATIENCE).await else {
                return Err(given_up(lost));
            };
            match self.attempt(&leader, &mut outgoing).await {
                Attempt::Decided(decision) => return answer(decision),
                // An earlier leader may have taken it all the same: only a later answer can tell.
                Attempt::Refused(EngineError::Overloaded { .. }) if lost.is_some() => {
                    self.pause(&leader).await;
                }
                Attempt::Refused(error) => return Err(refusal(error, lost)),
                Attempt::NotTaken => {
                    if lost.is_none() {
                        outgoing.fate.not_taken();
                    }
                    self.pause(&leader).await;
                }
                Attempt::Lost(reason) => {
                    tracing::debug!(
                        reason,
                        term = leader.term,
                        "A command was handed over and not answered"
                    );
                    outgoing.lost_in = Some(leader.term);
                    lost = Some(reason);
                    self.pause(&leader).await;
                }
            }
        }
    }

    /// Waits a little before asking again, or until there is another leader.
    async fn pause(&self, leader: &Leader) {
        self.leader_after(Some(leader.term), PAUSE).await;
    }

    async fn attempt(&self, leader: &Leader, outgoing: &mut Outgoing) -> Attempt {
        let sent_before = outgoing.lost_in.map(|_| outgoing.above);
        if leader.id != self.raft_id {
            let command = outbound::Command {
                encoded: Arc::clone(&outgoing.encoded),
                sent_before,
                admitted: Arc::clone(&outgoing.admitted),
                fate: Arc::clone(&outgoing.fate),
            };
            // A leader that hangs is not waited for once there is another: what it has not committed by then it never will.
            let handed_over = self.forwarder.hand_over(leader, command);
            return match R::select2(handed_over, self.next_leader(Some(leader.term))).await {
                Select2::First(attempt) => attempt,
                Select2::Second(_) => {
                    Attempt::Lost("the leader changed while the write was on its way".to_owned())
                }
            };
        }
        if !self.is_followed() || !outgoing.fate.send() {
            return Attempt::NotTaken;
        }
        let proposal = match outgoing.proposal.take() {
            Some(proposal) => proposal,
            None => match LogCommand::decode_proposal(&outgoing.encoded) {
                Ok(proposal) => proposal,
                Err(error) => return Attempt::Refused(unreadable(&error)),
            },
        };
        self.take(
            proposal,
            &outgoing.encoded,
            leader.term,
            sent_before,
            Arc::clone(&outgoing.admitted),
        )
        .await
    }

    /// Has a command decided by this replica as the leader of a term. With `sent_before`, an earlier leader may have taken
    /// it, above that index.
    async fn take(
        &self,
        proposal: Proposal,
        encoded: &[u8],
        term: u64,
        sent_before: Option<u64>,
        admitted: Arc<OwnedSemaphorePermit>,
    ) -> Attempt {
        // The rules remember keyed commands themselves, and for longer.
        if let Some(above) = sent_before.filter(|_| proposal.idempotency.is_none()) {
            // What earlier leaders committed is applied here once a round among the voters says that this one leads; what
            // they did not commit can never be any more.
            match self.read_here(term).await {
                Ok(()) => {}
                Err(_) => return Attempt::NotTaken,
            }
            match self.recent.find(proposal.id, above) {
                Found::Decided(decision) => return Attempt::Decided(decision),
                Found::Nowhere => {}
                Found::Forgotten => {
                    return Attempt::Refused(EngineError::UnknownOutcome {
                        reason: "the leader was lost while the write was on its way, and the next one has not been \
                                 running for long enough to know what came of it"
                            .to_owned(),
                    });
                }
            }
        }
        match LogCommand::stamped((self.clock)(), proposal, encoded) {
            Ok(command) => self.append(command, term, admitted).await,
            Err(error) => Attempt::Refused(EngineError::Failed {
                reason: format!("a command cannot be encoded: {error}"),
            }),
        }
    }

    /// Appends a command to the log, as the leader of a term and of no other.
    async fn append(&self, command: LogCommand, term: u64, admitted: Arc<OwnedSemaphorePermit>) -> Attempt {
        let (answering, answered) = Answering::new(admitted);
        let leader = LeaderTerm::new(term);
        let write = self.raft.write(command).with_leader(leader).responder(answering);
        if let Err(fatal) = write.await {
            return self.stopped(&fatal.to_string());
        }
        // Without an answer the Raft task ended, and whether the command is in the log is open.
        let Ok(written) = answered.await else {
            return self.stopped("no answer came");
        };
        match written.map(|written| written.data) {
            Ok(Outcome::Decided(decision)) => Attempt::Decided(decision),
            Ok(Outcome::Nothing) => Attempt::Refused(EngineError::Failed {
                reason: "a command was applied as nothing".to_owned(),
            }),
            Err(ClientWriteError::ForwardToLeader(_)) => Attempt::NotTaken,
            Err(ClientWriteError::LogEntryDiscarded(_)) => {
                Attempt::Lost("the leader changed while the write was on its way".to_owned())
            }
            Err(
                error
                @ (ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_)),
            ) => Attempt::Refused(EngineError::Failed {
                reason: format!("a command was taken for a change of members: {error}"),
            }),
        }
    }

    /// The Raft task ended while a command was with it.
    fn stopped(&self, what_came: &str) -> Attempt {
        let reason = self.failure().unwrap_or_else(|| what_came.to_owned());
        Attempt::Lost(format!(
            "the leader stopped while the write was on its way: {reason}"
        ))
    }

    /// Commands on their way take memory until they are applied, so no more are let in than there is room for.
    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, EngineError> {
        let units = u32::try_from(bytes.div_ceil(ADMISSION_UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.admission)
            .try_acquire_many_owned(units)
            .map_err(|error| match error {
                TryAcquireError::Closed => EngineError::Unavailable {
                    reason: "this replica is stopping; try another".to_owned(),
                },
                TryAcquireError::NoPermits => EngineError::Overloaded {
                    reason: "too many writes are waiting for the log; try again in a moment".to_owned(),
                },
            })
    }
}

fn answer(decision: Arc<Decision>) -> Result<At<Response>, EngineError> {
    let Decision { index, result } = Arc::unwrap_or_clone(decision);
    match result {
        Ok(value) => Ok(At { index, value }),
        Err(rejection) => Err(EngineError::Rejected { rejection, index }),
    }
}

/// Why a command is refused, when an earlier leader may have been lost with it: then nobody can say that nothing happened.
fn refusal(error: EngineError, lost: Option<String>) -> EngineError {
    match (error, lost) {
        (error @ EngineError::UnknownOutcome { .. }, _) | (error, None) => error,
        (error, Some(lost)) => EngineError::UnknownOutcome {
            reason: format!("{lost}; and then: {error}"),
        },
    }
}

/// There has been no leader for so long that waiting on makes no sense.
fn given_up(lost: Option<String>) -> EngineError {
    match lost {
        Some(reason) => EngineError::UnknownOutcome { reason },
        None => no_leader(),
    }
}

/// Nobody leads.
pub(super) fn no_leader() -> EngineError {
    EngineError::Unavailable {
        reason: "there is no leader, so nothing was done; try again when a majority of the replicas is up"
            .to_owned(),
    }
}

fn unreadable(error: &bincode::error::DecodeError) -> EngineError {
    EngineError::Failed {
        reason: format!("a command cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::engine::EngineError;

    use super::refusal;

    #[test]
    fn once_a_leader_was_lost_with_a_command_no_refusal_says_that_nothing_happened() {
        let overloaded = || EngineError::Overloaded {
            reason: "full".to_owned(),
        };
        assert!(matches!(
            refusal(overloaded(), None),
            EngineError::Overloaded { .. }
        ));
        let lost = Some("the leader was lost".to_owned());
        assert!(matches!(
            refusal(overloaded(), lost),
            EngineError::UnknownOutcome { reason } if reason.contains("lost") && reason.contains("full")
        ));
    }
}
