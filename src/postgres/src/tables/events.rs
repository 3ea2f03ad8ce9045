//! What changed, and what it added to the totals.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::Totals;
use zephyrfs_core::event::{Change, ChangeKind, EventGroup};
use zephyrfs_core::units::AppliedIndex;

use super::usage::UsageDelta;
use crate::columns::{Time, Uuid, count, decode, encode};
use crate::error::StoreError;
use crate::statement::{Statement, list_of_numbers, list_of_texts, unnest};

/// What a write adds to each of the totals.
pub(crate) type Delta = [i64; Totals::COUNTS];

/// What a write changed.
pub(crate) struct NewEvent<'w> {
    /// The id of its proposal: the same proposal cannot be written twice, however often it is tried.
    pub(crate) id: Uuid,
    pub(crate) changes: &'w [Change],
    pub(crate) delta: &'w Delta,
    pub(crate) usage: &'w UsageDelta,
}

/// Adds to a statement what writes changed at a time.
pub(crate) fn insert(statement: &mut Statement, at: Time, events: &[NewEvent<'_>]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let is_about_nodes = |event: &NewEvent<'_>| {
        event
            .changes
            .iter()
            .any(|change| change.kind() == ChangeKind::Node)
    };
    let changes = events.iter().map(|event| encode(&event.changes));
    let deltas = events
        .iter()
        .map(|event| list_of_numbers(event.delta.iter().copied()));
    let at = statement.bind(at)?;
    statement.bind(events.iter().map(|event| event.id).collect::<Vec<_>>())?;
    statement.bind(events.iter().map(is_about_nodes).collect::<Vec<_>>())?;
    statement.bind(changes.collect::<Result<Vec<_>, _>>()?)?;
    statement.bind(deltas.collect::<Vec<_>>())?;
    let usages = || {
        let each = events.iter().map(|event| event.usage);
        each.map(|usage| (!usage.is_empty()).then_some(usage))
    };
    let list = |usage: Option<&UsageDelta>| usage.map(|usage| list_of_texts(usage.nodes()));
    statement.bind(usages().map(list).collect::<Vec<_>>())?;
    let list = |usage: Option<&UsageDelta>| usage.map(|usage| list_of_numbers(usage.copies()));
    statement.bind(usages().map(list).collect::<Vec<_>>())?;
    let list = |usage: Option<&UsageDelta>| usage.map(|usage| list_of_numbers(usage.bytes()));
    let last = statement.bind(usages().map(list).collect::<Vec<_>>())?;
    statement.part(&format!(
        "INSERT INTO events (event_id, happened_at, written_at, about_nodes, changes, totals_delta, \
         usage_nodes, usage_copies, usage_bytes) \
         SELECT event_id, ${at}, clock_timestamp(), about_nodes, changes, totals_delta::bigint[], \
         usage_nodes::text[], usage_copies::bigint[], usage_bytes::numeric[] FROM {}",
        unnest(
            last,
            &[
                ("event_id", "uuid"),
                ("about_nodes", "boolean"),
                ("changes", "bytea"),
                ("totals_delta", "text"),
                ("usage_nodes", "text"),
                ("usage_copies", "text"),
                ("usage_bytes", "text"),
            ]
        )
    ));
    Ok(())
}

/// Writes, with the id of a proposal, that it has no effect and never will: an event without changes that adds nothing. If an
/// attempt at the proposal is under way this waits for its end, and does nothing if it was committed.
pub(crate) const RULE_OUT: &str = "INSERT INTO events \
    (event_id, happened_at, written_at, about_nodes, changes, totals_delta) \
    VALUES ($1, clock_timestamp(), clock_timestamp(), false, '\\x00', '{}') ON CONFLICT (event_id) DO NOTHING";

/// Whether an event says that its proposal was ruled out. What was written has a number for each of the totals.
pub(crate) const IS_RULED_OUT: &str = "SELECT cardinality(totals_delta) = 0 FROM events WHERE event_id = $1";

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
