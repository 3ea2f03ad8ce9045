//! Files as clients see them.

use serde::Serialize;
use utoipa::ToSchema;
use zephyrfs_core::row::FileRow;

use crate::api::saturate::{len_to_i32, to_i64};
use crate::service::{self, FileChunkDetails, FileDetails};

/// A file with its chunks, if it is known.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct GetFileInfoResponse {
    success: bool,
    message: String,
    /// Null if the file is not known.
    file_info: Option<FileRecord>,
}

/// A file with its chunks.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct FileRecord {
    file_id: String,
    file_name: String,
    /// Bytes.
    file_size: i64,
    file_hash: String,
    /// By ascending index.
    chunks: Vec<ChunkRecord>,
    owner_node_id: String,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    last_accessed: i64,
}

/// A chunk of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ChunkRecord {
    chunk_id: String,
    hash: String,
    /// Bytes.
    size: i64,
    /// Where it stands in the file.
    index: i32,
    /// The nodes that store it, then those told to take it.
    stored_at_nodes: Vec<String>,
    /// How many there are.
    replication_count: i32,
}

/// A file in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct FileSummary {
    file_id: String,
    file_name: String,
    /// Bytes.
    file_size: i64,
    file_hash: String,
    chunk_count: i64,
    owner_node_id: String,
    /// Unix seconds.
    created_at: i64,
}

impl GetFileInfoResponse {
    /// The file is known.
    pub(in crate::api::rest) fn found(file: FileDetails) -> Self {
        Self {
            success: true,
            message: "File found".to_owned(),
            file_info: Some(file.into()),
        }
    }

    /// It is not.
    pub(in crate::api::rest) const fn refused(message: String) -> Self {
        Self {
            success: false,
            message,
            file_info: None,
        }
    }
}

impl From<FileDetails> for FileRecord {
    fn from(details: FileDetails) -> Self {
        let FileDetails {
            id,
            file,
            chunks,
            last_accessed,
        } = details;
        let FileRow {
            name,
            size,
            hash,
            owner,
            created_at,
            chunks: _,
        } = file;
        Self {
            file_id: id.into(),
            file_name: name,
            file_size: size.to_wire(),
            file_hash: hash.into(),
            chunks: chunks.into_iter().map(ChunkRecord::from).collect(),
            owner_node_id: owner.map(String::from).unwrap_or_default(),
            created_at: created_at.as_unix_seconds(),
            last_accessed: last_accessed.as_unix_seconds(),
        }
    }
}

impl From<FileChunkDetails> for ChunkRecord {
    fn from(chunk: FileChunkDetails) -> Self {
        let FileChunkDetails {
            id,
            hash,
            size,
            index,
            nodes,
        } = chunk;
        Self {
            chunk_id: id.into(),
            hash: hash.into(),
            size: size.to_wire(),
            index: i32::try_from(index).unwrap_or(i32::MAX),
            replication_count: len_to_i32(nodes.len()),
            stored_at_nodes: nodes.into_iter().map(String::from).collect(),
        }
    }
}

impl From<service::FileSummary> for FileSummary {
    fn from(summary: service::FileSummary) -> Self {
        let service::FileSummary { id, file } = summary;
        let FileRow {
            name,
            size,
            hash,
            owner,
            created_at,
            chunks,
        } = file;
        Self {
            file_id: id.into(),
            file_name: name,
            file_size: size.to_wire(),
            file_hash: hash.into(),
            chunk_count: to_i64(chunks.len() as u64),
            owner_node_id: owner.map(String::from).unwrap_or_default(),
            created_at: created_at.as_unix_seconds(),
        }
    }
}
