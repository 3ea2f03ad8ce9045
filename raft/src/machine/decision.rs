//! What a command comes to over a state, and writing that.

use zephyrfs_core::event::Change;
use zephyrfs_core::store::RowStore;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Context, Effects, Envelope, Rejection, Response, decide};

use crate::error::StoreError;
use crate::state::State;

/// What a command comes to.
pub(crate) struct Decided {
    effects: Result<Effects, Rejection>,
    at: Timestamp,
}

/// Decides a command over a state, as the entry of the log at `index`.
///
/// # Errors
/// Why the state cannot be read.
pub(crate) fn decided(
    state: &State,
    index: AppliedIndex,
    envelope: &Envelope,
) -> Result<Decided, StoreError> {
    let view = state.load(&envelope.proposal.reads())?;
    let context = Context::following(state.header().last_time, index, envelope.proposed_at);
    Ok(Decided {
        effects: decide(envelope, &view, &context),
        at: context.now,
    })
}

/// Writes what was decided over the same state: the answer, and what changed.
///
/// # Errors
/// Why it cannot be written.
pub(crate) fn write_decided(
    state: &mut State,
    Decided { effects, at }: Decided,
) -> Result<(Result<Response, Rejection>, Vec<Change>), StoreError> {
    let written = match effects {
        Ok(effects) => {
            let changes = state.write(&effects.mutations)?;
            (Ok(effects.response), changes)
        }
        Err(rejection) => (Err(rejection), Vec::new()),
    };
    state.header_mut().last_time = at;
    Ok(written)
}
