//! The one door to the rules: idempotency first, then the command's own decision.

use crate::effects::{Effects, Mutation};
use crate::envelope::Envelope;
use crate::rejection::Rejection;
use crate::row::RequestRow;
use crate::units::{AppliedIndex, Timestamp};
use crate::view::View;

/// What a decision may know besides rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Where in the common order the command stands.
    pub index: AppliedIndex,
    /// The time: the leader's, but never earlier than that of any command before.
    pub now: Timestamp,
}

impl Context {
    /// The context of the command after one that was decided at `last`.
    pub fn following(last: Timestamp, index: AppliedIndex, envelope: &Envelope) -> Self {
        Self {
            index,
            now: envelope.proposed_at.max(last),
        }
    }
}

/// Decides a command. Total: every command in every state has effects or a rejection.
///
/// # Errors
/// A [`Rejection`] when the command has no effect; nothing may be written then.
pub fn decide(envelope: &Envelope, view: &View, context: &Context) -> Result<Effects, Rejection> {
    let proposal = &envelope.proposal;
    let Some(idempotency) = &proposal.idempotency else {
        return proposal.command.decide(proposal.id, view, context);
    };
    let remembered = view
        .requests
        .get(&idempotency.key)
        .filter(|request| request.expires_at > context.now);
    if let Some(request) = remembered {
        return if request.fingerprint == idempotency.fingerprint {
            Ok(Effects::answer(request.response.clone()))
        } else {
            Err(Rejection::IdempotencyKeyReused {
                key: idempotency.key.clone(),
            })
        };
    }
    let mut effects = proposal.command.decide(proposal.id, view, context)?;
    let request = RequestRow {
        fingerprint: idempotency.fingerprint,
        response: effects.response.clone(),
        expires_at: context.now.plus(idempotency.keep_for),
    };
    effects
        .mutations
        .push(Mutation::PutRequest(idempotency.key.clone(), request));
    Ok(effects)
}
