//! Chunks and their copies.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
use zephyrfs_core::row::{ChunkRow, Replica, ReplicaState};

use super::nodes::size;
use crate::columns::{Time, Word, small};
use crate::error::StoreError;
use crate::statement::{Column, RowsAre, Statement, Target, unnest};

/// The columns of a chunk with its copies, in their order, to be selected from [`FROM`].
pub(crate) const COLUMNS: &str = "chunks.chunk_id, hash, size_bytes, created_at, home_file_id, chunk_index, sharers, \
    unreferenced_since, copies.nodes, copies.states, copies.positions";

/// The table, for those who write to it.
const CHUNKS: Target = Target {
    table: "chunks",
    keys: 1,
    columns: &[
        Column("chunk_id", "text", ""),
        Column("hash", "text", ""),
        Column("size_bytes", "bigint", ""),
        Column("created_at", "timestamptz", ""),
        Column("home_file_id", "text", ""),
        Column("chunk_index", "bigint", ""),
        Column("sharers", "bigint", ""),
        Column("unreferenced_since", "timestamptz", ""),
    ],
};

/// The table, for those who write to it.
const COPIES: Target = Target {
    table: "chunk_replicas",
    keys: 2,
    columns: &[
        Column("chunk_id", "text", ""),
        Column("node_id", "text", ""),
        Column("position", "bigint", ""),
        Column("state", "text", ""),
    ],
};

/// Where chunks are selected from.
pub(crate) const FROM: &str = "chunks CROSS JOIN LATERAL (SELECT array_agg(node_id ORDER BY position) AS nodes, \
    array_agg(state ORDER BY position) AS states, array_agg(position ORDER BY position) AS positions \
    FROM chunk_replicas WHERE chunk_replicas.chunk_id = chunks.chunk_id) AS copies";

/// A chunk, and at which positions its copies lie.
pub(crate) struct Stored {
    pub(crate) id: ChunkId,
    pub(crate) row: ChunkRow,
    pub(crate) positions: Vec<i64>,
}

/// A chunk from its columns.
pub(crate) fn read(row: &PgRow) -> Result<Stored, StoreError> {
    let nodes: Vec<String> = row.try_get::<Option<_>, _>("nodes")?.unwrap_or_default();
    let states: Vec<String> = row.try_get::<Option<_>, _>("states")?.unwrap_or_default();
    let replicas = nodes.into_iter().zip(states).map(|(node, state)| {
        Ok(Replica {
            node: NodeId::new(node),
            state: ReplicaState::from_word(&state)?,
        })
    });
    let chunk = ChunkRow {
        hash: ContentHash::new(row.try_get::<&str, _>("hash")?),
        size: size(row.try_get("size_bytes")?)?,
        created_at: row.try_get::<Time, _>("created_at")?.0,
        home: row.try_get::<Option<&str>, _>("home_file_id")?.map(FileId::new),
        index: small(row.try_get("chunk_index")?)?,
        sharers: small(row.try_get("sharers")?)?,
        unreferenced_since: row
            .try_get::<Option<Time>, _>("unreferenced_since")?
            .map(|time| time.0),
        replicas: replicas.collect::<Result<_, StoreError>>()?,
    };
    Ok(Stored {
        id: ChunkId::new(row.try_get::<&str, _>("chunk_id")?),
        row: chunk,
        positions: row.try_get::<Option<_>, _>("positions")?.unwrap_or_default(),
    })
}

/// Adds to a statement that these chunks are written, without their copies. New ones and known ones are written apart:
/// looking whether a row is there costs as much again.
pub(crate) fn put(
    statement: &mut Statement,
    rows: &[(&ChunkId, &ChunkRow)],
    rows_are: RowsAre,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let each = || rows.iter().map(|(_, row)| *row);
    statement.bind(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.hash.as_str()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| row.size.to_wire()).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| Time(row.created_at)).collect::<Vec<_>>())?;
    statement.bind(
        each()
            .map(|row| row.home.as_ref().map(FileId::as_str))
            .collect::<Vec<_>>(),
    )?;
    statement.bind(each().map(|row| i64::from(row.index)).collect::<Vec<_>>())?;
    statement.bind(each().map(|row| i64::from(row.sharers)).collect::<Vec<_>>())?;
    let last = statement.bind(
        each()
            .map(|row| row.unreferenced_since.map(Time))
            .collect::<Vec<_>>(),
    )?;
    CHUNKS.put(statement, last, rows_are);
    Ok(())
}

/// Adds to a statement that chunks are deleted, without their copies.
pub(crate) fn delete(statement: &mut Statement, ids: &[&ChunkId]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let at = statement.bind(ids.iter().map(|id| id.as_str()).collect::<Vec<_>>())?;
    statement.part(&format!("DELETE FROM chunks WHERE chunk_id = ANY(${at})"));
    Ok(())
}

/// A copy of a chunk on a node, with its position and its state.
type Copy<'r> = (&'r ChunkId, &'r NodeId, i64, ReplicaState);

/// The copies of chunks that are to be written and deleted.
#[derive(Default)]
pub(crate) struct CopyChanges<'r> {
    new: Vec<Copy<'r>>,
    changed: Vec<Copy<'r>>,
    deleted: Vec<(&'r ChunkId, &'r NodeId)>,
}

impl<'r> CopyChanges<'r> {
    /// Notes what becomes of the copies of a chunk: only those that change are written. `old` are those that are stored, with
    /// their positions.
    pub(crate) fn note(
        &mut self,
        chunk: &'r ChunkId,
        old: &'r [Replica],
        positions: &[i64],
        new: &'r [Replica],
    ) {
        let stored = |node: &NodeId| {
            let at = old.iter().position(|replica| replica.node == *node)?;
            Some((old[at].state, positions.get(at).copied()?))
        };
        // Positions ascend, and need not be contiguous: a copy keeps its own unless another order asks for a new one.
        let mut last = -1;
        for replica in new {
            let known = stored(&replica.node);
            let position = match known {
                Some((_, position)) if position > last => position,
                Some(_) | None => last + 1,
            };
            last = position;
            let copy = (chunk, &replica.node, position, replica.state);
            match known {
                None => self.new.push(copy),
                Some(stored) if stored != (replica.state, position) => self.changed.push(copy),
                Some(_) => {}
            }
        }
        let is_gone = |replica: &&Replica| new.iter().all(|kept| kept.node != replica.node);
        let gone = old.iter().filter(is_gone);
        self.deleted.extend(gone.map(|replica| (chunk, &replica.node)));
    }

    /// Adds to a statement those that are new.
    pub(crate) fn insert(&self, statement: &mut Statement) -> Result<(), StoreError> {
        put_copies(statement, &self.new, RowsAre::New)
    }

    /// Adds to a statement those that change.
    pub(crate) fn update(&self, statement: &mut Statement) -> Result<(), StoreError> {
        put_copies(statement, &self.changed, RowsAre::Known)
    }

    /// Adds to a statement those that are deleted.
    pub(crate) fn delete(&self, statement: &mut Statement) -> Result<(), StoreError> {
        if self.deleted.is_empty() {
            return Ok(());
        }
        let each = || self.deleted.iter();
        statement.bind(each().map(|(chunk, _)| chunk.as_str()).collect::<Vec<_>>())?;
        let last = statement.bind(each().map(|(_, node)| node.as_str()).collect::<Vec<_>>())?;
        statement.part(&format!(
            "DELETE FROM chunk_replicas USING {} WHERE chunk_replicas.chunk_id = new.chunk_id \
             AND chunk_replicas.node_id = new.node_id",
            unnest(last, &[("chunk_id", "text"), ("node_id", "text")])
        ));
        Ok(())
    }
}

fn put_copies(statement: &mut Statement, copies: &[Copy<'_>], rows_are: RowsAre) -> Result<(), StoreError> {
    if copies.is_empty() {
        return Ok(());
    }
    let each = || copies.iter();
    statement.bind(each().map(|(chunk, ..)| chunk.as_str()).collect::<Vec<_>>())?;
    statement.bind(each().map(|(_, node, ..)| node.as_str()).collect::<Vec<_>>())?;
    statement.bind(each().map(|(_, _, position, _)| *position).collect::<Vec<_>>())?;
    let last = statement.bind(each().map(|(.., state)| state.word()).collect::<Vec<_>>())?;
    COPIES.put(statement, last, rows_are);
    Ok(())
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::ChunkId;
    use zephyrfs_core::row::{Replica, ReplicaState};

    use super::CopyChanges;

    fn copies(nodes: &str) -> Vec<Replica> {
        let copy = |node: char| Replica {
            node: node.to_string().as_str().into(),
            state: ReplicaState::Stored,
        };
        nodes.chars().map(copy).collect()
    }

    fn changes(old: &str, positions: &[i64], new: &str) -> (Vec<(String, i64)>, Vec<String>) {
        let (chunk, old, new) = (ChunkId::from("c"), copies(old), copies(new));
        let mut changes = CopyChanges::default();
        changes.note(&chunk, &old, positions, &new);
        let put = changes
            .new
            .iter()
            .chain(&changes.changed)
            .map(|(_, node, position, _)| (node.to_string(), *position));
        let deleted = changes.deleted.iter().map(|(_, node)| node.to_string());
        (put.collect(), deleted.collect())
    }

    #[test]
    fn only_what_changes_is_written_and_the_order_is_kept() {
        let at = |node: &str, position| (node.to_owned(), position);
        assert_eq!(changes("", &[], "ab"), (vec![at("a", 0), at("b", 1)], vec![]));
        assert_eq!(
            changes("abc", &[0, 1, 2], "acd"),
            (vec![at("d", 3)], vec!["b".to_owned()])
        );
        assert_eq!(changes("ac", &[0, 2], "ac"), (vec![], vec![]));
        // One that goes before others that stay moves them.
        assert_eq!(
            changes("ab", &[0, 5], "cab"),
            (vec![at("c", 0), at("a", 1)], vec![])
        );
    }
}
