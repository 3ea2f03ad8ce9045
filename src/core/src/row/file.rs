//! A file: what a client registered, and which chunks it is made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{ChunkId, ContentHash, NodeId};
use crate::units::{ByteSize, Timestamp};

/// A registered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// The name that the client gave it.
    pub name: String,
    /// Its length.
    pub size: ByteSize,
    /// The hash of its whole content.
    pub hash: ContentHash,
    /// The node that registered it, as the client named it; it need not be a registered node.
    pub owner: Option<NodeId>,
    /// When this content was registered.
    pub created_at: Timestamp,
    /// Its chunks, in ascending order of their index. Shared, since rows are copied more often than changed.
    pub chunks: Arc<[FileChunk]>,
}

/// One chunk of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChunk {
    /// The chunk.
    pub id: ChunkId,
    /// Where it stands in the file; indexes ascend and need not be contiguous.
    pub index: u32,
}

impl FileRow {
    /// The chunk's index in this file, if the file holds it.
    pub fn index_of(&self, chunk: &ChunkId) -> Option<u32> {
        self.chunks
            .iter()
            .find(|entry| entry.id == *chunk)
            .map(|entry| entry.index)
    }
}
