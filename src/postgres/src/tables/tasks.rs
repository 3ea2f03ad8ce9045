//! What nodes are to do.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::id::{ChunkId, NodeId, TaskId};
use zephyrfs_core::row::{TaskKind, TaskReason, TaskRow};

use super::nodes::size;
use crate::columns::{Time, Uuid, Word, small};
use crate::error::StoreError;
use crate::statement::{Column, RowsAre, Statement, Target, unnest};

/// The columns of a task.
pub(crate) const COLUMNS: &str = "tasks.node_id, tasks.chunk_id, task_id, kind, reason, created_at, deadline, attempt, \
    source_node_id, size_bytes";

/// The table, for those who write to it.
const TASKS: Target = Target {
    table: "tasks",
    keys: 2,
    columns: &[
        Column("node_id", "text", ""),
        Column("chunk_id", "text", ""),
        Column("task_id", "uuid", ""),
        Column("kind", "text", ""),
        Column("reason", "text", ""),
        Column("created_at", "timestamptz", ""),
        Column("deadline", "timestamptz", ""),
        Column("attempt", "bigint", ""),
        Column("source_node_id", "text", ""),
        Column("size_bytes", "bigint", ""),
    ],
};

/// A task from its columns.
pub(crate) fn read(row: &PgRow) -> Result<(TaskKey, TaskRow), StoreError> {
    let key = (
        NodeId::new(row.try_get::<&str, _>("node_id")?),
        ChunkId::new(row.try_get::<&str, _>("chunk_id")?),
    );
    let task = TaskRow {
        id: TaskId::from_bytes(row.try_get::<Uuid, _>("task_id")?.0),
        kind: TaskKind::from_word(row.try_get("kind")?)?,
        reason: TaskReason::from_word(row.try_get("reason")?)?,
        created_at: row.try_get::<Time, _>("created_at")?.0,
        deadline: row.try_get::<Time, _>("deadline")?.0,
        attempt: small(row.try_get("attempt")?)?,
        source: row.try_get::<Option<&str>, _>("source_node_id")?.map(NodeId::new),
        size: size(row.try_get("size_bytes")?)?,
    };
    Ok((key, task))
}

/// Adds to a statement that tasks are written.
pub(crate) fn put(
    statement: &mut Statement,
    rows: &[(&NodeId, &ChunkId, &TaskRow)],
    rows_are: RowsAre,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let each = || rows.iter().map(|(.., row)| *row);
    statement.bind(rows.iter().map(|(node, ..)| node.as_str()).collect::<Vec<_>>())?;
    statement.bind(
        rows.iter()
            .map(|(_, chunk, _)| chunk.as_str())
            .collect::<Vec<_>>(),
    )?;
    statement.bind(each().map(|row| Uuid(*row.id.as_bytes())).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.kind.word()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.reason.word()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| Time(row.created_at)).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| Time(row.deadline)).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| i64::from(row.attempt)).collect::<Vec<_>>())?;
    statement.bind(
        each()
            .map(|row| row.source.as_ref().map(NodeId::as_str))
            .collect::<Vec<_>>(),
    )?;
    let last = statement.bind(each().map(|row| row.size.to_wire()).collect::<Vec<_>>())?;
    TASKS.put(statement, last, rows_are);
    Ok(())
}

/// Adds to a statement that tasks are deleted.
pub(crate) fn delete(statement: &mut Statement, keys: &[&TaskKey]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    statement.bind(keys.iter().map(|(node, _)| node.as_str()).collect::<Vec<_>>())?;
    let last = statement.bind(keys.iter().map(|(_, chunk)| chunk.as_str()).collect::<Vec<_>>())?;
    statement.part(&format!(
        "DELETE FROM tasks USING {} WHERE tasks.node_id = new.node_id AND tasks.chunk_id = new.chunk_id",
        unnest(last, &[("node_id", "text"), ("chunk_id", "text")])
    ));
    Ok(())
}
