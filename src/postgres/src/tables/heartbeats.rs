//! Last heartbeats.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{BeatRow, NodeStats};

use super::nodes::size;
use crate::columns::{Time, count, to_bigint};
use crate::error::StoreError;
use crate::statement::{Column, RowsAre, Statement, Target};

/// The columns of a heartbeat, to be selected from `heartbeats` or joined to `nodes`.
pub(crate) const COLUMNS: &str = "beat_at, storage_used, storage_available, chunks_stored, bandwidth_up, bandwidth_down, \
    cpu_usage, memory_usage, uptime_seconds";

/// The table, for those who write to it.
const HEARTBEATS: Target = Target {
    table: "heartbeats",
    keys: 1,
    columns: &[
        Column("node_id", "text", ""),
        Column("beat_at", "timestamptz", ""),
        Column("storage_used", "bigint", ""),
        Column("storage_available", "bigint", ""),
        Column("chunks_stored", "bigint", ""),
        Column("bandwidth_up", "bigint", ""),
        Column("bandwidth_down", "bigint", ""),
        Column("cpu_usage", "double precision", ""),
        Column("memory_usage", "double precision", ""),
        Column("uptime_seconds", "bigint", ""),
    ],
};

/// A heartbeat from its columns; `None` if the node joined to them has sent none.
pub(crate) fn read(row: &PgRow) -> Result<Option<BeatRow>, StoreError> {
    let Some(Time(at)) = row.try_get("beat_at")? else {
        return Ok(None);
    };
    Ok(Some(BeatRow {
        at,
        stats: NodeStats {
            storage_used: size(row.try_get("storage_used")?)?,
            storage_available: size(row.try_get("storage_available")?)?,
            chunks_stored: count(row.try_get("chunks_stored")?)?,
            bandwidth_up: count(row.try_get("bandwidth_up")?)?,
            bandwidth_down: count(row.try_get("bandwidth_down")?)?,
            cpu_usage: row.try_get("cpu_usage")?,
            memory_usage: row.try_get("memory_usage")?,
            uptime_seconds: count(row.try_get("uptime_seconds")?)?,
        },
    }))
}

/// Adds to a statement that these heartbeats are written.
pub(crate) fn put(
    statement: &mut Statement,
    rows: &[(&NodeId, &BeatRow)],
    rows_are: RowsAre,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let stats = |value: fn(&NodeStats) -> u64| {
        let each = rows.iter().map(|(_, row)| to_bigint(value(&row.stats)));
        each.collect::<Vec<_>>()
    };
    let shares = |value: fn(&NodeStats) -> f64| {
        let each = rows.iter().map(|(_, row)| value(&row.stats));
        each.collect::<Vec<_>>()
    };
    statement.bind(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())?;
    statement.bind(rows.iter().map(|(_, row)| Time(row.at)).collect::<Vec<_>>())?;
    statement.bind(stats(|stats| stats.storage_used.get()))?;
    statement.bind(stats(|stats| stats.storage_available.get()))?;
    statement.bind(stats(|stats| stats.chunks_stored))?;
    statement.bind(stats(|stats| stats.bandwidth_up))?;
    statement.bind(stats(|stats| stats.bandwidth_down))?;
    statement.bind(shares(|stats| stats.cpu_usage))?;
    statement.bind(shares(|stats| stats.memory_usage))?;
    let last = statement.bind(stats(|stats| stats.uptime_seconds))?;
    HEARTBEATS.put(statement, last, rows_are);
    Ok(())
}
