//! What changed, and what it added to the totals.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::Totals;
use zephyrfs_core::event::{Change, ChangeKind, EventGroup};
use zephyrfs_core::units::AppliedIndex;

use crate::columns::{Time, Uuid, count, decode, encode};
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
    let nodes = statement.bind(changes.iter().any(|change| change.kind() == ChangeKind::Node))?;
    let changes = statement.bind(encode(&changes)?)?;
    let delta = statement.bind(delta.as_slice())?;
    statement.part(&format!(
        "INSERT INTO events (event_id, happened_at, about_nodes, changes, totals_delta) VALUES (${id}, ${at}, ${nodes}, ${changes}, ${delta})"
    ));
    Ok(())
}

/// The columns of an event that has a place.
pub(crate) const COLUMNS: &str = "place, happened_at, changes";

/// An event from its columns; `None` if it is one of those that nobody watches.
pub(crate) fn read(row: &PgRow) -> Result<Option<EventGroup>, StoreError> {
    let changes: Vec<Change> = decode("what changed", row.try_get("changes")?)?;
    if changes.is_empty() {
        return Ok(None);
    }
    Ok(Some(EventGroup {
        index: AppliedIndex::new(count(row.try_get("place")?)?),
        at: row.try_get::<Time, _>("happened_at")?.0,
        changes: changes.into(),
    }))
}
