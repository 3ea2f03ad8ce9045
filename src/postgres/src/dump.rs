//! Every row of one state, kind by kind.

use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _, query};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::Row;

use crate::error::StoreError;
use crate::tables::{chunks, files, heartbeats, nodes, releases, requests, sharers, tasks};

/// What makes a row of the columns of its table.
type Read = fn(&PgRow) -> Result<Row, StoreError>;

/// Hands every row to `take`, kind by kind, until it answers `false`. All are of the transaction's state. Answers whether
/// it were all.
///
/// # Errors
/// The database's.
pub(crate) async fn dump(
    connection: &mut PgConnection,
    take: &mut (dyn FnMut(Row) -> bool + Send),
) -> Result<bool, StoreError> {
    let kinds: [(String, Read); 8] = [
        (format!("{} FROM nodes ORDER BY node_id", nodes::COLUMNS), node),
        (
            format!(
                "node_id, {} FROM heartbeats ORDER BY node_id",
                heartbeats::COLUMNS
            ),
            beat,
        ),
        (format!("{} FROM files ORDER BY file_id", files::COLUMNS), file),
        (
            format!(
                "{} FROM {} ORDER BY chunks.chunk_id",
                chunks::COLUMNS,
                chunks::FROM
            ),
            chunk,
        ),
        (
            format!(
                "{} FROM chunk_sharers ORDER BY chunk_id, file_id",
                sharers::COLUMNS
            ),
            sharer,
        ),
        (
            format!("{} FROM releases ORDER BY release_id", releases::COLUMNS),
            release,
        ),
        (
            format!("{} FROM requests ORDER BY request_key", requests::COLUMNS),
            request,
        ),
        (
            format!("{} FROM tasks ORDER BY node_id, chunk_id", tasks::COLUMNS),
            task,
        ),
    ];
    for (selection, read) in kinds {
        let statement = query(AssertSqlSafe(format!("SELECT {selection}")));
        let mut rows = statement.fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            if !take(read(&row)?) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn node_id(row: &PgRow) -> Result<NodeId, StoreError> {
    Ok(NodeId::new(row.try_get::<&str, _>("node_id")?))
}

fn node(row: &PgRow) -> Result<Row, StoreError> {
    Ok(Row::Node(node_id(row)?, nodes::read(row)?))
}

fn beat(row: &PgRow) -> Result<Row, StoreError> {
    let beat = heartbeats::read(row)?.ok_or_else(|| StoreError::corrupt("a heartbeat without a time"))?;
    Ok(Row::Beat(node_id(row)?, beat))
}

fn file(row: &PgRow) -> Result<Row, StoreError> {
    let (id, file) = files::read(row)?;
    Ok(Row::File(id, file))
}

fn chunk(row: &PgRow) -> Result<Row, StoreError> {
    let stored = chunks::read(row)?;
    Ok(Row::Chunk(stored.id, stored.row))
}

fn sharer(row: &PgRow) -> Result<Row, StoreError> {
    let ((chunk, file), index) = sharers::read(row)?;
    Ok(Row::Sharer(chunk, file, index))
}

fn release(row: &PgRow) -> Result<Row, StoreError> {
    let (id, release) = releases::read(row)?;
    Ok(Row::Release(id, release))
}

fn request(row: &PgRow) -> Result<Row, StoreError> {
    let (key, request) = requests::read(row)?;
    Ok(Row::Request(key, request))
}

fn task(row: &PgRow) -> Result<Row, StoreError> {
    let ((node, chunk), task) = tasks::read(row)?;
    Ok(Row::Task(node, chunk, task))
}
