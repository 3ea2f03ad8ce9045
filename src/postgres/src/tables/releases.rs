//! Unfinished releases.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::{FileId, RequestId};
use zephyrfs_core::row::ReleaseRow;

use super::files::{arrays, read_chunks};
use crate::columns::{Uuid, small};
use crate::error::StoreError;
use crate::statement::Statement;

/// The columns of a release.
pub(crate) const COLUMNS: &str = "release_id, file_id, chunk_ids, chunk_indexes, done";

/// A release from its columns.
pub(crate) fn read(row: &PgRow) -> Result<(RequestId, ReleaseRow), StoreError> {
    let release = ReleaseRow {
        file: FileId::new(row.try_get::<&str, _>("file_id")?),
        chunks: read_chunks(row)?,
        done: small(row.try_get("done")?)?,
    };
    Ok((
        RequestId::from_bytes(row.try_get::<Uuid, _>("release_id")?.0),
        release,
    ))
}

/// Adds to a statement that a release is new.
pub(crate) fn insert(statement: &mut Statement, id: RequestId, row: &ReleaseRow) -> Result<(), StoreError> {
    let (ids, indexes) = arrays(&row.chunks);
    statement.bind(Uuid(*id.as_bytes()))?;
    statement.bind(row.file.as_str())?;
    statement.bind(ids)?;
    statement.bind(indexes)?;
    let last = statement.bind(i64::from(row.done))?;
    let values: Vec<String> = (last - 4..=last).map(|at| format!("${at}")).collect();
    statement.part(&format!(
        "INSERT INTO releases ({COLUMNS}) VALUES ({})",
        values.join(", ")
    ));
    Ok(())
}

/// Adds to a statement that more of a release is done.
pub(crate) fn go_on(statement: &mut Statement, id: RequestId, done: u32) -> Result<(), StoreError> {
    let id = statement.bind(Uuid(*id.as_bytes()))?;
    let done = statement.bind(i64::from(done))?;
    statement.part(&format!(
        "UPDATE releases SET done = ${done} WHERE release_id = ${id}"
    ));
    Ok(())
}

/// Adds to a statement that releases are finished.
pub(crate) fn delete(statement: &mut Statement, ids: &[RequestId]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let at = statement.bind(ids.iter().map(|id| Uuid(*id.as_bytes())).collect::<Vec<_>>())?;
    statement.part(&format!("DELETE FROM releases WHERE release_id = ANY(${at})"));
    Ok(())
}
