//! Rows of one kind on their way into their table, many with each statement.

use sqlx::postgres::PgConnection;
use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId};
use zephyrfs_core::row::{BeatRow, ChunkRow, FileRow, NodeRow, ReleaseRow, RequestRow, Row, TaskRow};

use crate::error::StoreError;
use crate::statement::{RowsAre, Statement};
use crate::tables::chunks::CopyChanges;
use crate::tables::{chunks, files, heartbeats, nodes, releases, requests, sharers, tasks};

/// A statement writes so many rows, counting what they consist of.
const ENOUGH: usize = 4_000;

/// Rows that each take a part of the statement's text of their own.
const ENOUGH_PARTS: usize = 100;

/// Rows that wait to be written.
#[derive(Default)]
pub(super) struct Page {
    nodes: Vec<(NodeId, NodeRow)>,
    beats: Vec<(NodeId, BeatRow)>,
    files: Vec<(FileId, FileRow)>,
    chunks: Vec<(ChunkId, ChunkRow)>,
    sharers: Vec<(ChunkId, FileId, u32)>,
    releases: Vec<(RequestId, ReleaseRow)>,
    requests: Vec<(String, RequestRow)>,
    tasks: Vec<(NodeId, ChunkId, TaskRow)>,
    weight: usize,
}

impl Page {
    /// Adds a row.
    pub(super) fn add(&mut self, row: Row) {
        self.weight += match &row {
            Row::File(_, file) => 1 + file.chunks.len(),
            Row::Chunk(_, chunk) => 1 + chunk.replicas.len(),
            Row::Release(_, release) => ENOUGH / ENOUGH_PARTS + release.chunks.len(),
            Row::Request(..) => ENOUGH / ENOUGH_PARTS,
            Row::Node(..) | Row::Beat(..) | Row::Sharer(..) | Row::Task(..) => 1,
        };
        match row {
            Row::Node(id, row) => self.nodes.push((id, row)),
            Row::Beat(id, row) => self.beats.push((id, row)),
            Row::File(id, row) => self.files.push((id, row)),
            Row::Chunk(id, row) => self.chunks.push((id, row)),
            Row::Sharer(chunk, file, index) => self.sharers.push((chunk, file, index)),
            Row::Release(id, row) => self.releases.push((id, row)),
            Row::Request(key, row) => self.requests.push((key, row)),
            Row::Task(node, chunk, row) => self.tasks.push((node, chunk, row)),
        }
    }

    /// Whether a statement has enough with it.
    pub(super) const fn is_full(&self) -> bool {
        self.weight >= ENOUGH
    }

    /// Writes the rows into tables that have none of them. A table is written before those that refer to it.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let mut statement = Statement::default();
        nodes::put(&mut statement, &pairs(&self.nodes), RowsAre::New)?;
        statement.run(connection).await?;

        let mut statement = Statement::default();
        heartbeats::put(&mut statement, &pairs(&self.beats), RowsAre::New)?;
        files::put(&mut statement, &pairs(&self.files), RowsAre::New)?;
        chunks::put(&mut statement, &pairs(&self.chunks), RowsAre::New)?;
        let mut copies = CopyChanges::default();
        for (id, row) in &self.chunks {
            copies.note(id, &[], &[], &row.replicas);
        }
        copies.insert(&mut statement)?;
        let shared: Vec<_> = self
            .sharers
            .iter()
            .map(|(chunk, file, index)| (chunk, file, *index))
            .collect();
        sharers::put(&mut statement, &shared, RowsAre::New)?;
        for (id, row) in &self.releases {
            releases::insert(&mut statement, *id, row)?;
        }
        for (key, row) in &self.requests {
            requests::insert(&mut statement, key, row)?;
        }
        let due: Vec<_> = self
            .tasks
            .iter()
            .map(|(node, chunk, row)| (node, chunk, row))
            .collect();
        tasks::put(&mut statement, &due, RowsAre::New)?;
        statement.run(connection).await
    }
}

fn pairs<K, V>(rows: &[(K, V)]) -> Vec<(&K, &V)> {
    rows.iter().map(|(key, row)| (key, row)).collect()
}
