//! Nodes.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{AfterDrain, Contact, Drain, NodeRow, Observed, Wanted};
use zephyrfs_core::units::ByteSize;

use crate::columns::{Time, Word, count, small, to_bigint};
use crate::error::StoreError;
use crate::statement::{Column, RowsAre, Statement, Target};

/// The columns of a node, to be selected from `nodes`.
pub(crate) const COLUMNS: &str = "nodes.node_id, addresses::text AS addresses, capacity_bytes, \
    capabilities::text AS capabilities, registered_at, wanted, maintenance_until, removed_at, removed_reason, drain_since, \
    drain_copies, drain_bytes, drain_then, drain_done_at, silent_since, written_off, heard_since, returns, held_until, \
    last_silence";

/// The table, for those who write to it.
const NODES: Target = Target {
    table: "nodes",
    keys: 1,
    columns: &[
        Column("node_id", "text", ""),
        Column("addresses", "text", "::jsonb"),
        Column("capacity_bytes", "bigint", ""),
        Column("capabilities", "text", "::jsonb"),
        Column("registered_at", "timestamptz", ""),
        Column("wanted", "text", ""),
        Column("maintenance_until", "timestamptz", ""),
        Column("removed_at", "timestamptz", ""),
        Column("removed_reason", "text", ""),
        Column("drain_since", "timestamptz", ""),
        Column("drain_copies", "bigint", ""),
        Column("drain_bytes", "bigint", ""),
        Column("drain_then", "text", ""),
        Column("drain_done_at", "timestamptz", ""),
        Column("silent_since", "timestamptz", ""),
        Column("written_off", "boolean", ""),
        Column("heard_since", "timestamptz", ""),
        Column("returns", "bigint", ""),
        Column("held_until", "timestamptz", ""),
        Column("last_silence", "timestamptz", ""),
    ],
};

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
pub(crate) fn put(
    statement: &mut Statement,
    rows: &[(&NodeId, &NodeRow)],
    rows_are: RowsAre,
) -> Result<(), StoreError> {
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
    NODES.put(statement, last, rows_are);
    Ok(())
}

const fn drain_of(row: &NodeRow) -> Option<&Drain> {
    match &row.wanted {
        Wanted::Draining(drain) => Some(drain),
        Wanted::Removed { drain, .. } => drain.as_ref(),
        Wanted::InService | Wanted::Maintenance { .. } => None,
    }
}
