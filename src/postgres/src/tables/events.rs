//! What changed, and what it added to the totals.

use zephyrfs_core::Totals;
use zephyrfs_core::event::Change;

use crate::columns::{Time, Uuid, encode};
use crate::error::StoreError;
use crate::statement::Statement;

/// What a write adds to each of the totals.
pub(crate) type Delta = [i64; Totals::COUNTS];

/// Adds to a statement that a write changed something. Its id is that of the proposal: the same proposal cannot be written
/// twice, however often it is tried.
pub(crate) fn insert(
    statement: &mut Statement,
    id: Uuid,
    at: Time,
    changes: &[Change],
    delta: Delta,
) -> Result<(), StoreError> {
    let id = statement.bind(id)?;
    let at = statement.bind(at)?;
    let changes = statement.bind(encode(&changes)?)?;
    let delta = statement.bind(delta.as_slice())?;
    statement.part(&format!(
        "INSERT INTO events (event_id, happened_at, changes, totals_delta) VALUES (${id}, ${at}, ${changes}, ${delta})"
    ));
    Ok(())
}
