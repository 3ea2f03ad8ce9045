//! What lies on nodes: counted along with every write, because counting anew takes long where much lies.
//!
//! A write says in its event what it adds, as it does for the totals: writes that put copies on the same node do not meet at a
//! row. Whoever gives the event its place adds it to the node's count.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{Row as _, query};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{ChunkRow, Usage, users};
use zephyrfs_core::units::ByteSize;
use zephyrfs_core::{Mutation, View};

use crate::columns::count;
use crate::error::StoreError;

/// What a write adds to what lies on each node: copies and bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct UsageDelta(BTreeMap<NodeId, (i64, i128)>);

impl UsageDelta {
    /// What mutations add to what was loaded.
    pub(crate) fn of(mutations: &[Mutation], view: &View) -> Self {
        let mut delta = Self::default();
        for mutation in mutations {
            let (id, new) = match mutation {
                Mutation::PutChunk(id, row) => (id, Some(row)),
                Mutation::DeleteChunk(id) => (id, None),
                _ => continue,
            };
            if let Some(old) = view.chunks.get(id) {
                delta.add(old, -1);
            }
            if let Some(new) = new {
                delta.add(new, 1);
            }
        }
        delta.0.retain(|_, added| *added != (0, 0));
        delta
    }

    fn add(&mut self, chunk: &ChunkRow, times: i64) {
        for node in users(chunk) {
            let (copies, bytes) = self.0.entry(node.clone()).or_default();
            *copies += times;
            *bytes += i128::from(times) * i128::from(chunk.size.get());
        }
    }

    /// Whether it adds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(NodeId::as_str)
    }

    /// The copies, in the order of the nodes.
    pub(crate) fn copies(&self) -> impl Iterator<Item = i64> {
        self.0.values().map(|(copies, _)| *copies)
    }

    /// Their bytes, in the same order.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = i128> {
        self.0.values().map(|(_, bytes)| *bytes)
    }
}

/// What lies on those of these nodes that are registered: one statement, so that an event that gets its place meanwhile counts
/// once.
///
/// # Errors
/// The database's.
pub(crate) async fn read(
    connection: &mut PgConnection,
    nodes: &[&str],
) -> Result<BTreeMap<NodeId, Usage>, StoreError> {
    let rows = query(
        "SELECT node_id, sum(copies)::bigint AS copies, sum(bytes)::text AS bytes FROM \
         (SELECT node_id, 0 AS copies, 0 AS bytes, true AS is_node FROM nodes WHERE node_id = ANY($1) UNION ALL \
         SELECT node_id, copies, bytes, false FROM node_usage WHERE node_id = ANY($1) UNION ALL \
         SELECT added.node_id, added.copies, added.bytes, false FROM events CROSS JOIN LATERAL \
         unnest(usage_nodes, usage_copies, usage_bytes) AS added(node_id, copies, bytes) \
         WHERE place IS NULL AND added.node_id = ANY($1)) AS parts GROUP BY node_id HAVING bool_or(is_node)",
    )
    .bind(nodes)
    .fetch_all(connection)
    .await?;
    let mut usage = BTreeMap::new();
    for row in &rows {
        // A sum may be larger than any `bigint`: sizes stop at the end of their range.
        let bytes: &str = row.try_get("bytes")?;
        let bytes = bytes
            .parse::<u128>()
            .map_err(|_| StoreError::corrupt(format!("{bytes} where a sum of sizes is expected")))?;
        let lies = Usage {
            copies: count(row.try_get("copies")?)?,
            bytes: ByteSize::new(u64::try_from(bytes).unwrap_or(u64::MAX)),
        };
        usage.insert(NodeId::new(row.try_get::<&str, _>("node_id")?), lies);
    }
    Ok(usage)
}

/// Counts anew what lies on nodes, in a transaction in which no event waits for its place.
///
/// # Errors
/// The database's.
pub(crate) async fn count_anew(connection: &mut PgConnection) -> Result<(), StoreError> {
    query("DELETE FROM node_usage").execute(&mut *connection).await?;
    query(
        "INSERT INTO node_usage (node_id, copies, bytes) \
         SELECT node_id, count(*), sum(size_bytes) FROM chunk_replicas JOIN chunks ON chunks.chunk_id = chunk_replicas.chunk_id \
         WHERE state = 'stored' AND home_file_id IS NOT NULL GROUP BY node_id",
    )
    .execute(connection)
    .await?;
    Ok(())
}
