//! Files: registered with their chunks, looked up, listed, deleted.

use zephyrfs_core::Placement;
use zephyrfs_core::engine::At;
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
use zephyrfs_core::row::FileRow;
use zephyrfs_core::units::{ByteSize, Timestamp};

use super::{ListPage, PageQuery, RequestContext, Service, ServiceError};

/// A file as a client describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileRegistration {
    /// Chosen by the client.
    pub file_id: String,
    /// Any name.
    pub file_name: String,
    /// Bytes.
    pub file_size: i64,
    /// Of the whole content.
    pub file_hash: String,
    /// In any order.
    pub chunks: Vec<ChunkDescription>,
    /// Who registers it; may be empty.
    pub owner_node_id: String,
}

/// A chunk of a file as a client describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkDescription {
    /// Chosen by the client.
    pub chunk_id: String,
    /// Of its content.
    pub hash: String,
    /// Bytes.
    pub size: i64,
    /// Where it stands in the file.
    pub index: i64,
}

/// Where a registered file's chunks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredFile {
    /// By ascending index.
    pub placements: Vec<Placement>,
    /// The replicas wanted for each chunk.
    pub wanted: u32,
}

/// A file with its chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct FileDetails {
    /// Its id.
    pub id: FileId,
    /// What the client registered.
    pub file: FileRow,
    /// Its chunks, by ascending index.
    pub chunks: Vec<FileChunkDetails>,
    /// When it was last registered: the coordinator hands out locations, and does not see who reads content.
    pub last_accessed: Timestamp,
}

/// A chunk of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChunkDetails {
    /// Its id.
    pub id: ChunkId,
    /// The hash of its content.
    pub hash: ContentHash,
    /// Its length.
    pub size: ByteSize,
    /// Where it stands in the file.
    pub index: u32,
    /// The nodes that store it, then those told to take it.
    pub nodes: Vec<NodeId>,
}

/// A file in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// Its id.
    pub id: FileId,
    /// What the client registered.
    pub file: FileRow,
}

impl Service {
    /// Registers a file and chooses nodes for its chunks.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` with `NoRoom` if some chunk finds no node, `Conflict` if a chunk's id is in use for
    /// other content.
    pub async fn register_file(
        &self,
        registration: FileRegistration,
        context: RequestContext,
    ) -> Result<At<RegisteredFile>, ServiceError> {
        todo!()
    }

    /// One file with its chunks.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the file is not known.
    pub async fn file(
        &self,
        file_id: String,
        context: RequestContext,
    ) -> Result<At<FileDetails>, ServiceError> {
        todo!()
    }

    /// Deletes a file and lets go of its chunks.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the file is not known.
    pub async fn delete_file(
        &self,
        file_id: String,
        context: RequestContext,
    ) -> Result<At<()>, ServiceError> {
        todo!()
    }

    /// Files, by id.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_files(
        &self,
        page: PageQuery,
        context: RequestContext,
    ) -> Result<At<ListPage<FileSummary>>, ServiceError> {
        todo!()
    }
}
