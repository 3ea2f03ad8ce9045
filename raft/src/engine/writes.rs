//! Commands on their way through the log.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::ClientWriteError;
use openraft::type_config::AsyncRuntime;
use tokio::sync::OwnedSemaphorePermit;
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::{Envelope, Proposal, Response};

use super::RaftEngine;
use crate::disk::Disk;
use crate::responder::Answering;
use crate::types::{LogCommand, Outcome, Types};

/// The unit in which commands on their way are counted: a small command takes one.
pub(super) const ADMISSION_UNIT: usize = 1 << 10;

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Proposes a command and waits until it is applied.
    pub(super) async fn propose(
        &self,
        proposal: Proposal,
        _within: Duration,
    ) -> Result<At<Response>, EngineError> {
        let envelope = Envelope {
            proposed_at: (self.clock)(),
            proposal,
        };
        let command = LogCommand::new(envelope).map_err(|error| EngineError::Failed {
            reason: format!("a command cannot be encoded: {error}"),
        })?;
        let admitted = self.admit(command.bytes().len())?;
        let (answering, answered) = Answering::new(admitted);
        let handed_over = self.raft.client_write_ff(command, Some(answering)).await;
        handed_over.map_err(|fatal| self.stopped(&fatal.to_string()))?;
        // Without an answer the Raft task ended, and whether the command is in the log is open.
        let written = answered.await.map_err(|_| self.stopped("no answer came"))?;
        let written = written.map_err(write_error::<R>)?;
        match written.data {
            Outcome::Decided(index, Ok(value)) => Ok(At { index, value }),
            Outcome::Decided(index, Err(rejection)) => Err(EngineError::Rejected { rejection, index }),
            Outcome::Nothing => Err(EngineError::Failed {
                reason: "a command was applied as nothing".to_owned(),
            }),
        }
    }

    /// The Raft task ended while a command was with it.
    fn stopped(&self, what_came: &str) -> EngineError {
        let reason = self.failure().unwrap_or_else(|| what_came.to_owned());
        EngineError::UnknownOutcome {
            reason: format!("this replica stopped while the write was on its way: {reason}"),
        }
    }

    /// Commands on their way take memory until they are applied, so no more are let in than there is room for.
    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, EngineError> {
        let units = u32::try_from(bytes.div_ceil(ADMISSION_UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.admission)
            .try_acquire_many_owned(units)
            .map_err(|error| match error {
                tokio::sync::TryAcquireError::Closed => EngineError::Unavailable {
                    reason: "this replica is stopping; try another".to_owned(),
                },
                tokio::sync::TryAcquireError::NoPermits => EngineError::Overloaded {
                    reason: "too many writes are waiting for the log; try again in a moment".to_owned(),
                },
            })
    }
}

fn write_error<R: AsyncRuntime>(error: ClientWriteError<Types<R>>) -> EngineError {
    match error {
        ClientWriteError::ForwardToLeader(_) => EngineError::Unavailable {
            reason: "there is no leader at the moment; try again".to_owned(),
        },
        ClientWriteError::LogEntryDiscarded(_) => EngineError::UnknownOutcome {
            reason: "the leader changed while the write was on its way".to_owned(),
        },
        error @ (ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_)) => {
            EngineError::Failed {
                reason: format!("a command was taken for a change of members: {error}"),
            }
        }
    }
}
