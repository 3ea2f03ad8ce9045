//! Nodes.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{AfterDrain, Contact, Drain, NodeRow, Observed, Wanted};
use zephyrfs_core::units::ByteSize;

use crate::columns::{Time, Word, count, small, to_bigint};
use crate::error::StoreError;
use crate::statement::{Statement, unnest};

/// The columns of a node, to be selected from `nodes`.
pub(crate) const COLUMNS: &str = "nodes.node_id, addresses::text AS addresses, capacity_bytes, \
    capabilities::text AS capabilities, registered_at, wanted, maintenance_until, removed_at, removed_reason, drain_since, \
    drain_copies, drain_bytes, drain_then, drain_done_at, silent_since, written_off, heard_since, returns, held_until, \
    last_silence";

/// A node from its columns.
pub(crate) fn read(row: &PgRow) -> Result<NodeRow, StoreError> {
    let addresses: &str = row.try_get("addresses")?;
    let capabilities: &str = row.try_get("capabilities")?;
    let time = |column| -> Result<_, StoreError> { Ok(row.try_get::<Time, _>(column)?.0) };
    let observed = match row.try_get::<Option<Time>, _>("silent_since")? {
        None => Observed::Active,
        Some(Time(since)) => Observed::Inactive {
            since,
            written_off: row.try_get("written_off")?,
        },
    };
    Ok(NodeRow {
        addresses: from_json("addresses of a node", addresses)?,
        capacity: size(row.try_get("capacity_bytes")?)?,
        capabilities: from_json::<BTreeMap<_, _>>("capabilities of a node", capabilities)?,
        registered_at: time("registered_at")?,
        wanted: wanted(row)?,
        observed,
        contact: Contact {
            since: time("heard_since")?,
            returns: small(row.try_get("returns")?)?,
            held_until: time("held_until")?,
            last_silence: time("last_silence")?,
        },
    })
}

fn wanted(row: &PgRow) -> Result<Wanted, StoreError> {
    let word: &str = row.try_get("wanted")?;
    Ok(match word {
        "in_service" => Wanted::InService,
        "maintenance" => Wanted::Maintenance {
            until: row.try_get::<Time, _>("maintenance_until")?.0,
        },
        "draining" => Wanted::Draining(
            drain(row)?.ok_or_else(|| StoreError::corrupt("a node is draining since no time"))?,
        ),
        "removed" => Wanted::Removed {
            at: row.try_get::<Time, _>("removed_at")?.0,
            reason: row.try_get("removed_reason")?,
            drain: drain(row)?,
        },
        other => {
            return Err(StoreError::corrupt(format!(
                "{other:?} is wanted of a node, which this version does not know"
            )));
        }
    })
}

fn drain(row: &PgRow) -> Result<Option<Drain>, StoreError> {
    let Some(Time(since)) = row.try_get("drain_since")? else {
        return Ok(None);
    };
    Ok(Some(Drain {
        since,
        copies: count(row.try_get("drain_copies")?)?,
        bytes: size(row.try_get("drain_bytes")?)?,
        then: AfterDrain::from_word(row.try_get("drain_then")?)?,
        done_at: row
            .try_get::<Option<Time>, _>("drain_done_at")?
            .map(|time| time.0),
    }))
}

/// A size from its column.
pub(crate) fn size(bytes: i64) -> Result<ByteSize, StoreError> {
    ByteSize::from_wire(bytes).ok_or_else(|| StoreError::corrupt(format!("{bytes} where a size is expected")))
}

fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(format!("{what} cannot be read: {error}")))
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::corrupt(format!("a node cannot be written: {error}")))
}

/// Adds to a statement that these nodes are written.
pub(crate) fn put(statement: &mut Statement, rows: &[(&NodeId, &NodeRow)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let each = || rows.iter().map(|(_, row)| *row);
    let drains = || each().map(drain_of);
    let texts = |value: fn(&NodeRow) -> Option<&str>| each().map(value).collect::<Vec<_>>();
    let times = |value: fn(&NodeRow) -> Option<Time>| each().map(value).collect::<Vec<_>>();
    statement.bind(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())?;
    statement.bind(
        each()
            .map(|row| to_json(&row.addresses))
            .collect::<Result<Vec<_>, _>>()?,
    )?;
    statement.bind(each().map(|row| row.capacity.to_wire()).collect::<Vec<_>>())?;
    statement.bind(
        each()
            .map(|row| to_json(&row.capabilities))
            .collect::<Result<Vec<_>, _>>()?,
    )?;
    statement.bind(times(|row| Some(Time(row.registered_at))))?;
    statement.bind(texts(|row| {
        Some(match row.wanted {
            Wanted::InService => "in_service",
            Wanted::Maintenance { .. } => "maintenance",
            Wanted::Draining(_) => "draining",
            Wanted::Removed { .. } => "removed",
        })
    }))?;
    statement.bind(times(|row| match row.wanted {
        Wanted::Maintenance { until } => Some(Time(until)),
        Wanted::InService | Wanted::Draining(_) | Wanted::Removed { .. } => None,
    }))?;
    statement.bind(times(|row| match row.wanted {
        Wanted::Removed { at, .. } => Some(Time(at)),
        Wanted::InService | Wanted::Draining(_) | Wanted::Maintenance { .. } => None,
    }))?;
    statement.bind(texts(|row| match &row.wanted {
        Wanted::Removed { reason, .. } => Some(reason),
        Wanted::InService | Wanted::Draining(_) | Wanted::Maintenance { .. } => None,
    }))?;
    statement.bind(
        drains()
            .map(|drain| drain.map(|drain| Time(drain.since)))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(
        drains()
            .map(|drain| drain.map(|drain| to_bigint(drain.copies)))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(
        drains()
            .map(|drain| drain.map(|drain| drain.bytes.to_wire()))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(
        drains()
            .map(|drain| drain.map(|drain| drain.then.word()))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(drains().map(|drain| drain?.done_at.map(Time)).collect::<Vec<_>>())?;
    statement.bind(times(|row| match row.observed {
        Observed::Active => None,
        Observed::Inactive { since, .. } => Some(Time(since)),
    }))?;
    statement.bind(
        each()
            .map(|row| {
                matches!(
                    row.observed,
                    Observed::Inactive {
                        written_off: true,
                        ..
                    }
                )
            })
            .collect::<Vec<_>>(),
    )?;
    statement.bind(times(|row| Some(Time(row.contact.since))))?;
    statement.bind(
        each()
            .map(|row| i64::from(row.contact.returns))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(times(|row| Some(Time(row.contact.held_until))))?;
    let last = statement.bind(times(|row| Some(Time(row.contact.last_silence))))?;
    statement.part(&format!(
        "INSERT INTO nodes SELECT node_id, addresses::jsonb, capacity_bytes, capabilities::jsonb, registered_at, wanted, \
         maintenance_until, removed_at, removed_reason, drain_since, drain_copies, drain_bytes, drain_then, drain_done_at, \
         silent_since, written_off, heard_since, returns, held_until, last_silence FROM {} \
         ON CONFLICT (node_id) DO UPDATE SET addresses = excluded.addresses, capacity_bytes = excluded.capacity_bytes, \
         capabilities = excluded.capabilities, registered_at = excluded.registered_at, wanted = excluded.wanted, \
         maintenance_until = excluded.maintenance_until, removed_at = excluded.removed_at, \
         removed_reason = excluded.removed_reason, drain_since = excluded.drain_since, \
         drain_copies = excluded.drain_copies, drain_bytes = excluded.drain_bytes, drain_then = excluded.drain_then, \
         drain_done_at = excluded.drain_done_at, silent_since = excluded.silent_since, \
         written_off = excluded.written_off, heard_since = excluded.heard_since, returns = excluded.returns, \
         held_until = excluded.held_until, last_silence = excluded.last_silence",
        unnest(
            last,
            &[
                ("node_id", "text"),
                ("addresses", "text"),
                ("capacity_bytes", "bigint"),
                ("capabilities", "text"),
                ("registered_at", "timestamptz"),
                ("wanted", "text"),
                ("maintenance_until", "timestamptz"),
                ("removed_at", "timestamptz"),
                ("removed_reason", "text"),
                ("drain_since", "timestamptz"),
                ("drain_copies", "bigint"),
                ("drain_bytes", "bigint"),
                ("drain_then", "text"),
                ("drain_done_at", "timestamptz"),
                ("silent_since", "timestamptz"),
                ("written_off", "boolean"),
                ("heard_since", "timestamptz"),
                ("returns", "bigint"),
                ("held_until", "timestamptz"),
                ("last_silence", "timestamptz"),
            ]
        )
    ));
    Ok(())
}

const fn drain_of(row: &NodeRow) -> Option<&Drain> {
    match &row.wanted {
        Wanted::Draining(drain) => Some(drain),
        Wanted::Removed { drain, .. } => drain.as_ref(),
        Wanted::InService | Wanted::Maintenance { .. } => None,
    }
}
