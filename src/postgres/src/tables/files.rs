//! Files. A file's chunks are two arrays in its row: they are read and written together.

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
use zephyrfs_core::row::{FileChunk, FileRow};

use super::nodes::size;
use crate::columns::{Time, small};
use crate::error::StoreError;
use crate::statement::{Column, RowsAre, Statement, Target, list_of_numbers, list_of_texts};

/// The columns of a file.
pub(crate) const COLUMNS: &str =
    "file_id, name, size_bytes, hash, owner_node_id, created_at, chunk_ids, chunk_indexes";

/// The table, for those who write to it.
const FILES: Target = Target {
    table: "files",
    keys: 1,
    columns: &[
        Column("file_id", "text", ""),
        Column("name", "text", ""),
        Column("size_bytes", "bigint", ""),
        Column("hash", "text", ""),
        Column("owner_node_id", "text", ""),
        Column("created_at", "timestamptz", ""),
        Column("chunk_ids", "text", "::text[]"),
        Column("chunk_indexes", "text", "::bigint[]"),
    ],
};

/// A file from its columns.
pub(crate) fn read(row: &PgRow) -> Result<(FileId, FileRow), StoreError> {
    let file = FileRow {
        name: row.try_get("name")?,
        size: size(row.try_get("size_bytes")?)?,
        hash: ContentHash::new(row.try_get::<&str, _>("hash")?),
        owner: row.try_get::<Option<&str>, _>("owner_node_id")?.map(NodeId::new),
        created_at: row.try_get::<Time, _>("created_at")?.0,
        chunks: read_chunks(row)?,
    };
    Ok((FileId::new(row.try_get::<&str, _>("file_id")?), file))
}

/// The chunks of a file or release from its two arrays.
pub(crate) fn read_chunks(row: &PgRow) -> Result<Arc<[FileChunk]>, StoreError> {
    let ids: Vec<String> = row.try_get("chunk_ids")?;
    let indexes: Vec<i64> = row.try_get("chunk_indexes")?;
    if ids.len() != indexes.len() {
        return Err(StoreError::corrupt(
            "a file has more chunks than indexes, or fewer",
        ));
    }
    ids.into_iter()
        .zip(indexes)
        .map(|(id, index)| {
            Ok(FileChunk {
                id: ChunkId::new(id),
                index: small(index)?,
            })
        })
        .collect()
}

/// Chunks as two arrays.
pub(crate) fn arrays(chunks: &[FileChunk]) -> (Vec<&str>, Vec<i64>) {
    chunks
        .iter()
        .map(|chunk| (chunk.id.as_str(), i64::from(chunk.index)))
        .unzip()
}

/// Adds to a statement that files are written.
pub(crate) fn put(
    statement: &mut Statement,
    rows: &[(&FileId, &FileRow)],
    rows_are: RowsAre,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let each = || rows.iter().map(|(_, row)| *row);
    let ids = |row: &FileRow| list_of_texts(row.chunks.iter().map(|chunk| chunk.id.as_str()));
    let indexes = |row: &FileRow| list_of_numbers(row.chunks.iter().map(|chunk| chunk.index));
    statement.bind(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.name.as_str()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.size.to_wire()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.hash.as_str()).collect::<Vec<_>>())?;
    statement.bind(
        each()
            .map(|row| row.owner.as_ref().map(NodeId::as_str))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(each().map(|row| Time(row.created_at)).collect::<Vec<_>>())?;
    statement.bind(each().map(ids).collect::<Vec<_>>())?;
    let last = statement.bind(each().map(indexes).collect::<Vec<_>>())?;
    FILES.put(statement, last, rows_are);
    Ok(())
}

/// Adds to a statement that a file gets another name and owner, and keeps its content.
pub(crate) fn rename(statement: &mut Statement, id: &FileId, row: &FileRow) -> Result<(), StoreError> {
    let id = statement.bind(id.as_str())?;
    let name = statement.bind(row.name.as_str())?;
    let owner = statement.bind(row.owner.as_ref().map(NodeId::as_str))?;
    statement.part(&format!(
        "UPDATE files SET name = ${name}, owner_node_id = ${owner} WHERE file_id = ${id}"
    ));
    Ok(())
}

/// Adds to a statement that files are deleted.
pub(crate) fn delete(statement: &mut Statement, ids: &[&FileId]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let at = statement.bind(ids.iter().map(|id| id.as_str()).collect::<Vec<_>>())?;
    statement.part(&format!("DELETE FROM files WHERE file_id = ANY(${at})"));
    Ok(())
}
