//! The one door from the service to the engine: deadlines, admission and idempotency are dealt with here, and
//! the engine's errors become the service's.

use std::time::Instant;

use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::row::Fingerprint;
use zephyrfs_core::units::Millis;
use zephyrfs_core::{Command, Idempotency, Proposal, Response};

use super::deadline::{PATIENCE, is_over, left, until};
use super::engine_error::translate;
use super::error::ServiceError;
use super::request::RequestContext;
use super::state::Service;
use super::validate;

impl Service {
    /// Hands a command to the engine and waits for its answer, no longer than the deadline.
    pub(super) async fn propose(
        &self,
        command: Command,
        idempotency: Option<Idempotency>,
        deadline: Option<Instant>,
    ) -> Result<At<Response>, ServiceError> {
        if is_over(deadline) {
            return Err(ServiceError::DeadlineExceeded {
                reason: "the deadline passed before the write was handed over; nothing was changed"
                    .to_owned(),
            });
        }
        let _place = self.admission.admit()?;
        let is_keyed = idempotency.is_some();
        let proposal = Proposal {
            id: self.ids.request(),
            idempotency,
            command,
        };
        // The engine itself keeps the time: only it knows whether the command was handed over when it ran out.
        let result = self.engine.execute(proposal, left(deadline)).await;
        result.map_err(|error| translate(error, is_keyed))
    }

    /// Hands over a command of the coordinator's own. It takes no place from clients, and waits longer than they do: the
    /// caller has nothing better to do.
    pub(super) async fn propose_by_itself(&self, command: Command) -> Result<Response, ServiceError> {
        let proposal = Proposal {
            id: self.ids.request(),
            idempotency: None,
            command,
        };
        let result = self.engine.execute(proposal, PATIENCE).await;
        Ok(result.map_err(|error| translate(error, false))?.value)
    }

    /// Waits for a read, no longer than the deadline. `what` is read, in words.
    pub(super) async fn read<T>(
        &self,
        what: &str,
        deadline: Option<Instant>,
        read: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, ServiceError> {
        let result = if is_over(deadline) {
            None
        } else {
            until(deadline, read).await
        };
        match result {
            Some(result) => result.map_err(|error| translate(error, false)),
            None => Err(self.late(what)),
        }
    }

    /// The time for a read is over: where nobody can be reached who would tell how fresh it has to be, for want of that.
    fn late(&self, what: &str) -> ServiceError {
        let index = self.engine.totals().index;
        let state = format!(
            "the deadline passed while {what} was being read; this replica has applied index {index}"
        );
        let status = self.engine.status();
        let lacks = status
            .not_ready
            .or_else(|| status.leader.is_none().then(|| "there is no leader".to_owned()));
        match lacks {
            None => ServiceError::DeadlineExceeded { reason: state },
            Some(lacks) => ServiceError::Unavailable {
                reason: format!("{lacks}, and {state}"),
            },
        }
    }

    /// What makes a retry harmless, if the client sent a key. `fingerprint` is of what the client asked for.
    pub(super) fn idempotency(
        &self,
        context: &RequestContext,
        fingerprint: Fingerprint,
    ) -> Result<Option<Idempotency>, ServiceError> {
        let Some(key) = context.idempotency_key.clone() else {
            return Ok(None);
        };
        Ok(Some(Idempotency {
            key: validate::id(&self.limits, "idempotency-key", key)?,
            fingerprint,
            keep_for: Millis::from(self.policy.keep_requests),
        }))
    }
}
