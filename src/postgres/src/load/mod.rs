//! Loading the rows that a decision asks for, all from the transaction's one state.

mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row, query};
use zephyrfs_core::engine::TaskKey;
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::TaskRow;
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{ReadSet, View};

use crate::columns::{Time, Uuid, to_bigint};
use crate::error::StoreError;
use crate::tables::{chunks, files, heartbeats, nodes, releases, requests, sharers, tasks, usage};

pub(crate) use part::together;

/// What was loaded, and what a writer needs to know besides.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) view: View,
    /// At which positions the copies of each chunk lie.
    pub(crate) positions: BTreeMap<ChunkId, Vec<i64>>,
    /// The database's clock.
    pub(crate) now: Timestamp,
}

impl Loaded {
    /// A node with its heartbeat, if a row has one.
    fn take_node(&mut self, row: &PgRow) -> Result<(), StoreError> {
        let Some(id) = row.try_get::<Option<&str>, _>("node_id")?.map(NodeId::new) else {
            return Ok(());
        };
        if let Some(beat) = heartbeats::read(row)? {
            self.view.beats.insert(id.clone(), beat);
        }
        self.view.nodes.insert(id, Arc::new(nodes::read(row)?));
        Ok(())
    }
}

/// Whether rows are locked as they are loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locking {
    /// The transaction's state does not change under it.
    No,
    /// Nor is it asked what time it is.
    Undated,
    /// Each statement sees the state of its own time: nodes and remembered answers are locked first, so that what is read after
    /// them holds as long as they do.
    NodesAndRequests,
}

/// Loads what is asked for.
///
/// # Errors
/// The database's.
pub(crate) async fn load(
    connection: &mut PgConnection,
    reads: &ReadSet,
    locking: Locking,
) -> Result<Loaded, StoreError> {
    let mut load = Load {
        connection,
        locking,
        loaded: Loaded::default(),
        known_nodes: BTreeSet::new(),
        with_tasks: Vec::new(),
    };
    let is_dated = locking != Locking::Undated;
    load.nodes(reads.nodes.iter().cloned().collect(), is_dated)
        .await?;
    load.releases(&reads.releases).await?;
    load.files(reads).await?;
    load.tasks(&reads.tasks).await?;
    load.node_tasks(&reads.node_tasks).await?;
    load.chunks(reads).await?;
    if let Some(files) = &reads.sharers {
        load.sharers(files).await?;
    }
    if reads.replica_nodes {
        load.replica_nodes().await?;
    }
    load.usage(&reads.usage).await?;
    load.requests(&reads.requests).await?;
    Ok(load.loaded)
}

/// Looks for what is asked for with one statement: the nodes, if none of the files, chunks and remembered requests is there, and
/// `None` if any is. Nothing else may be asked for.
///
/// # Errors
/// The database's.
pub(crate) async fn load_if_all_new(
    connection: &mut PgConnection,
    reads: &ReadSet,
) -> Result<Option<Loaded>, StoreError> {
    let sql = format!(
        "SELECT clock_timestamp() AS now_at, EXISTS (SELECT 1 FROM files WHERE file_id = ANY($2)) \
         OR EXISTS (SELECT 1 FROM chunks WHERE chunk_id = ANY($3)) \
         OR EXISTS (SELECT 1 FROM requests WHERE request_key = ANY($4)) AS is_known, {}, {} FROM (VALUES (1)) AS one_row \
         LEFT JOIN nodes ON nodes.node_id = ANY($1) LEFT JOIN heartbeats ON heartbeats.node_id = nodes.node_id",
        nodes::COLUMNS,
        heartbeats::COLUMNS,
    );
    let of_chunks = reads.file_chunks.iter().map(|(file, _)| file);
    let rows = query(AssertSqlSafe(sql))
        .bind(storable(reads.nodes.iter().map(NodeId::as_str)))
        .bind(storable(reads.files.iter().chain(of_chunks).map(FileId::as_str)))
        .bind(storable(reads.chunks.iter().map(ChunkId::as_str)))
        .bind(storable(reads.requests.iter().map(String::as_str)))
        .fetch_all(&mut *connection)
        .await?;
    let mut loaded = Loaded::default();
    for row in &rows {
        if row.try_get("is_known")? {
            return Ok(None);
        }
        loaded.now = row.try_get::<Time, _>("now_at")?.0;
        loaded.take_node(row)?;
    }
    Ok(Some(loaded))
}

struct Load<'c> {
    connection: &'c mut PgConnection,
    locking: Locking,
    loaded: Loaded,
    known_nodes: BTreeSet<NodeId>,
    /// The chunks of the tasks of nodes.
    with_tasks: Vec<ChunkId>,
}

/// Text without NUL: no other can be stored, so nothing is lost by not asking for it.
fn storable<'t>(ids: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let ids: BTreeSet<&str> = ids.filter(|id| !id.contains('\0')).collect();
    ids.into_iter().collect()
}

impl Load<'_> {
    /// Nodes with their heartbeats. The first such statement of a transaction also asks for the time.
    async fn nodes(&mut self, ids: BTreeSet<NodeId>, is_first: bool) -> Result<(), StoreError> {
        let ids: Vec<&NodeId> = ids.iter().filter(|id| !self.known_nodes.contains(id)).collect();
        let names = storable(ids.iter().map(|id| id.as_str()));
        if names.is_empty() && !is_first {
            return Ok(());
        }
        if self.locking == Locking::NodesAndRequests {
            query("SELECT 1 FROM nodes WHERE node_id = ANY($1) ORDER BY node_id FOR UPDATE")
                .bind(&names)
                .execute(&mut *self.connection)
                .await?;
        }
        let sql = format!(
            "SELECT clock_timestamp() AS now_at, {}, {} FROM (VALUES (1)) AS one_row \
             LEFT JOIN nodes ON nodes.node_id = ANY($1) LEFT JOIN heartbeats ON heartbeats.node_id = nodes.node_id",
            nodes::COLUMNS,
            heartbeats::COLUMNS,
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(&names)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            self.loaded.now = row.try_get::<Time, _>("now_at")?.0;
            self.loaded.take_node(row)?;
        }
        self.known_nodes.extend(ids.into_iter().cloned());
        Ok(())
    }

    async fn releases(&mut self, asked: &[(RequestId, usize)]) -> Result<(), StoreError> {
        if asked.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = asked.iter().map(|(id, _)| Uuid(*id.as_bytes())).collect();
        let sql = format!(
            "SELECT {} FROM releases WHERE release_id = ANY($1)",
            releases::COLUMNS
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(&ids)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            let (id, release) = releases::read(row)?;
            self.loaded.view.releases.insert(id, release);
        }
        Ok(())
    }

    async fn files(&mut self, reads: &ReadSet) -> Result<(), StoreError> {
        let released = self.loaded.view.releases.values().map(|release| &release.file);
        let asked = reads
            .files
            .iter()
            .chain(reads.file_chunks.iter().map(|(file, _)| file));
        let ids = storable(asked.chain(released).map(FileId::as_str));
        if ids.is_empty() {
            return Ok(());
        }
        let sql = format!("SELECT {} FROM files WHERE file_id = ANY($1)", files::COLUMNS);
        let rows = query(AssertSqlSafe(sql))
            .bind(&ids)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            let (id, file) = files::read(row)?;
            self.loaded.view.files.insert(id, file);
        }
        Ok(())
    }

    async fn tasks(&mut self, keys: &[TaskKey]) -> Result<(), StoreError> {
        for (key, task) in tasks_by_key(self.connection, keys).await? {
            self.loaded.view.tasks.insert(key, task);
        }
        Ok(())
    }

    async fn node_tasks(&mut self, asked: &[(NodeId, usize)]) -> Result<(), StoreError> {
        let asked: Vec<_> = asked
            .iter()
            .filter(|(node, _)| !node.as_str().contains('\0'))
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        let (nodes, limits): (Vec<&str>, Vec<i64>) = asked
            .iter()
            .map(|(node, limit)| (node.as_str(), to_bigint(*limit as u64)))
            .unzip();
        let sql = format!(
            "SELECT {} FROM unnest($1::text[], $2::bigint[]) AS asked(of_node, at_most) CROSS JOIN LATERAL \
             (SELECT * FROM tasks WHERE tasks.node_id = asked.of_node ORDER BY tasks.chunk_id LIMIT asked.at_most) AS tasks",
            tasks::COLUMNS
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(nodes)
            .bind(limits)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            let (key, task) = tasks::read(row)?;
            self.with_tasks.push(key.1.clone());
            self.loaded.view.tasks.insert(key, task);
        }
        Ok(())
    }

    /// The chunks that are named, those of files and releases, and those of the tasks of nodes.
    async fn chunks(&mut self, reads: &ReadSet) -> Result<(), StoreError> {
        let view = &self.loaded.view;
        let of_files = reads.file_chunks.iter().filter_map(|(file, limit)| {
            let chunks = &view.files.get(file)?.chunks;
            Some(&chunks[..(*limit).min(chunks.len())])
        });
        let of_releases = reads
            .releases
            .iter()
            .filter_map(|(id, limit)| Some(view.releases.get(id)?.next_page(*limit)));
        let held = of_files.chain(of_releases).flatten().map(|chunk| &chunk.id);
        let ids: Vec<String> = storable(
            reads
                .chunks
                .iter()
                .chain(held)
                .chain(&self.with_tasks)
                .map(ChunkId::as_str),
        )
        .into_iter()
        .map(str::to_owned)
        .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT {} FROM {} WHERE chunks.chunk_id = ANY($1)",
            chunks::COLUMNS,
            chunks::FROM
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(&ids)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            let chunks::Stored { id, row, positions } = chunks::read(row)?;
            self.loaded.positions.insert(id.clone(), positions);
            self.loaded.view.chunks.insert(id, row);
        }
        Ok(())
    }

    async fn sharers(&mut self, files: &[FileId]) -> Result<(), StoreError> {
        let view = &self.loaded.view;
        let shared = view.chunks.iter().filter(|(_, chunk)| chunk.sharers > 0);
        let shared: Vec<&str> = shared.map(|(id, _)| id.as_str()).collect();
        if shared.is_empty() {
            return Ok(());
        }
        let released = view.releases.values().map(|release| &release.file);
        let files = storable(files.iter().chain(released).map(FileId::as_str));
        let sql = format!(
            "SELECT {columns} FROM chunk_sharers WHERE chunk_id = ANY($1) AND file_id = ANY($2) UNION \
             SELECT first.* FROM unnest($1) AS asked(of_chunk) CROSS JOIN LATERAL \
             (SELECT {columns} FROM chunk_sharers WHERE chunk_id = asked.of_chunk ORDER BY file_id LIMIT 1) AS first",
            columns = sharers::COLUMNS
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(&shared)
            .bind(&files)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            let (key, index) = sharers::read(row)?;
            self.loaded.view.sharers.insert(key, index);
        }
        Ok(())
    }

    async fn replica_nodes(&mut self) -> Result<(), StoreError> {
        let replicas = self.loaded.view.chunks.values().flat_map(|chunk| &chunk.replicas);
        let nodes = replicas.map(|replica| replica.node.clone()).collect();
        self.nodes(nodes, false).await
    }

    async fn usage(&mut self, nodes: &[NodeId]) -> Result<(), StoreError> {
        let nodes = storable(nodes.iter().map(NodeId::as_str));
        if nodes.is_empty() {
            return Ok(());
        }
        self.loaded.view.usage = usage::read(self.connection, &nodes).await?;
        Ok(())
    }

    async fn requests(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let keys = storable(keys.iter().map(String::as_str));
        if keys.is_empty() {
            return Ok(());
        }
        let lock = match self.locking {
            Locking::No | Locking::Undated => "",
            Locking::NodesAndRequests => " ORDER BY request_key FOR UPDATE",
        };
        let sql = format!(
            "SELECT {} FROM requests WHERE request_key = ANY($1){lock}",
            requests::COLUMNS
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(&keys)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            let (key, request) = requests::read(row)?;
            self.loaded.view.requests.insert(key, request);
        }
        Ok(())
    }
}

/// Tasks by their keys.
///
/// # Errors
/// The database's.
pub(crate) async fn tasks_by_key(
    connection: &mut PgConnection,
    keys: &[TaskKey],
) -> Result<BTreeMap<TaskKey, TaskRow>, StoreError> {
    let keys = keys
        .iter()
        .filter(|(node, chunk)| !node.as_str().contains('\0') && !chunk.as_str().contains('\0'));
    let (nodes, of_chunks): (Vec<&str>, Vec<&str>) =
        keys.map(|(node, chunk)| (node.as_str(), chunk.as_str())).unzip();
    if nodes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT {} FROM tasks JOIN unnest($1::text[], $2::text[]) AS asked(node_id, chunk_id) \
         ON tasks.node_id = asked.node_id AND tasks.chunk_id = asked.chunk_id",
        tasks::COLUMNS
    );
    let rows = query(AssertSqlSafe(sql))
        .bind(nodes)
        .bind(of_chunks)
        .fetch_all(connection)
        .await?;
    rows.iter().map(tasks::read).collect()
}
