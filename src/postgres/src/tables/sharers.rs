//! Further files that hold a chunk.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::{ChunkId, FileId};

use crate::columns::small;
use crate::error::StoreError;
use crate::statement::{Column, RowsAre, Statement, Target, unnest};

/// The columns of a sharer.
pub(crate) const COLUMNS: &str = "chunk_id, file_id, chunk_index";

/// The table, for those who write to it.
const SHARERS: Target = Target {
    table: "chunk_sharers",
    keys: 2,
    columns: &[
        Column("chunk_id", "text", ""),
        Column("file_id", "text", ""),
        Column("chunk_index", "bigint", ""),
    ],
};

/// A sharer, by chunk and file, with the chunk's index in it.
pub(crate) type Sharer<'r> = (&'r ChunkId, &'r FileId, u32);

/// A sharer from its columns.
pub(crate) fn read(row: &PgRow) -> Result<((ChunkId, FileId), u32), StoreError> {
    let key = (
        ChunkId::new(row.try_get::<&str, _>("chunk_id")?),
        FileId::new(row.try_get::<&str, _>("file_id")?),
    );
    Ok((key, small(row.try_get("chunk_index")?)?))
}

/// Adds to a statement that sharers are written.
pub(crate) fn put(
    statement: &mut Statement,
    rows: &[Sharer<'_>],
    rows_are: RowsAre,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    statement.bind(rows.iter().map(|(chunk, ..)| chunk.as_str()).collect::<Vec<_>>())?;
    statement.bind(rows.iter().map(|(_, file, _)| file.as_str()).collect::<Vec<_>>())?;
    let last = statement.bind(
        rows.iter()
            .map(|(.., index)| i64::from(*index))
            .collect::<Vec<_>>(),
    )?;
    SHARERS.put(statement, last, rows_are);
    Ok(())
}

/// Adds to a statement that sharers are deleted.
pub(crate) fn delete(statement: &mut Statement, keys: &[(&ChunkId, &FileId)]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    statement.bind(keys.iter().map(|(chunk, _)| chunk.as_str()).collect::<Vec<_>>())?;
    let last = statement.bind(keys.iter().map(|(_, file)| file.as_str()).collect::<Vec<_>>())?;
    statement.part(&format!(
        "DELETE FROM chunk_sharers USING {} WHERE chunk_sharers.chunk_id = new.chunk_id \
         AND chunk_sharers.file_id = new.file_id",
        unnest(last, &[("chunk_id", "text"), ("file_id", "text")])
    ));
    Ok(())
}
