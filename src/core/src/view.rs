//! What a decision may look at: the rows that a command or a question names beforehand, and those rows once loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{ChunkId, FileId, NodeId, RequestId};
use crate::row::Usage;
use crate::row::{BeatRow, ChunkRow, FileRow, NodeRow, ReleaseRow, RequestRow, TaskRow};

/// The rows that an engine loads before a decision, by kind. Known from the command alone.
///
/// Naming a row twice, or one that does not exist, is fine: a missing row is missing from the [`View`]. Every store
/// loads exactly the rows described here, no fewer and no more; [`crate::model::Model::view`] is the reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Nodes, each with its last heartbeat.
    pub nodes: Vec<NodeId>,
    /// Files, without their chunks' rows.
    pub files: Vec<FileId>,
    /// Files with the rows of their first so many chunks. The file's own row comes along; a file named twice gets the
    /// chunks of both.
    pub file_chunks: Vec<(FileId, usize)>,
    /// Chunks.
    pub chunks: Vec<ChunkId>,
    /// For each chunk that is loaded by any part of this set and has `sharers > 0`: its first sharer, which is the one
    /// with the smallest [`FileId`], and its rows for these files and for the files of the loaded releases. `None`
    /// loads no sharers at all.
    pub sharers: Option<Vec<FileId>>,
    /// Whether the nodes of the replicas of each chunk that is loaded by any part of this set are wanted, with their
    /// last heartbeats.
    pub replica_nodes: bool,
    /// Unfinished releases. With each comes the row of the file that held its chunks, if that exists again or still,
    /// and the rows of its next so many chunks ([`ReleaseRow::next_page`]).
    pub releases: Vec<(RequestId, usize)>,
    /// Tasks, without their chunks' rows.
    pub tasks: Vec<(NodeId, ChunkId)>,
    /// For each of these nodes its first so many tasks by [`ChunkId`], each with its chunk's row.
    pub node_tasks: Vec<(NodeId, usize)>,
    /// Nodes of which it is asked how much lies on them. One that is not registered has no answer.
    pub usage: Vec<NodeId>,
    /// Remembered requests, by idempotency key. Expired ones too: expiry is for the decision to judge.
    pub requests: Vec<String>,
}

/// The rows that were asked for and exist, all from one state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Nodes.
    pub nodes: BTreeMap<NodeId, Arc<NodeRow>>,
    /// The last heartbeats of these nodes.
    pub beats: BTreeMap<NodeId, BeatRow>,
    /// Files.
    pub files: BTreeMap<FileId, FileRow>,
    /// Chunks.
    pub chunks: BTreeMap<ChunkId, ChunkRow>,
    /// Sharers of chunks, with the chunk's index in each.
    pub sharers: BTreeMap<(ChunkId, FileId), u32>,
    /// Unfinished releases.
    pub releases: BTreeMap<RequestId, ReleaseRow>,
    /// What nodes are to do.
    pub tasks: BTreeMap<(NodeId, ChunkId), TaskRow>,
    /// What lies on nodes.
    pub usage: BTreeMap<NodeId, Usage>,
    /// Remembered requests.
    pub requests: BTreeMap<String, RequestRow>,
}

impl View {
    /// A chunk that some file holds: what clients may see.
    pub fn referenced_chunk(&self, id: &ChunkId) -> Option<&ChunkRow> {
        self.chunks.get(id).filter(|chunk| chunk.is_referenced())
    }

    /// The first loaded sharer of a chunk, with the chunk's index in it.
    pub fn first_sharer(&self, chunk: &ChunkId) -> Option<(&FileId, u32)> {
        // Ids are text, and no text sorts before the empty one.
        let from = (chunk.clone(), FileId::from(""));
        let ((found, file), index) = self.sharers.range(from..).next()?;
        (found == chunk).then_some((file, *index))
    }

    /// Whether a file holds a chunk, as its home or as a sharer.
    pub fn holds(&self, file: &FileId, chunk: &ChunkId) -> bool {
        self.chunks
            .get(chunk)
            .is_some_and(|row| row.home.as_ref() == Some(file))
            || self.sharers.contains_key(&(chunk.clone(), file.clone()))
    }

    /// The nodes among a chunk's replicas that clients may be sent to, copies known to be there first.
    pub fn readable_nodes<'a>(
        &'a self,
        chunk: &'a ChunkRow,
    ) -> impl Iterator<Item = (&'a NodeId, &'a NodeRow)> {
        chunk
            .nodes_stored_first()
            .filter_map(|id| self.nodes.get(id).map(|node| (id, node.as_ref())))
            .filter(|(_, node)| node.serves_reads())
    }
}
