//! Files that come, and where their chunks go.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zephyrfs_core::Placement;

use super::bounded::{ChunkIndex, ChunkList, ChunkSize, FileName, FileSize, Hash, Id, OptionalId};
use crate::api::rest::number::Whole;
use crate::api::rest::object::Object;
use crate::service::{ChunkDescription, FileRegistration, RegisteredFile};

/// A file as a client describes it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({
    "file_id": "report",
    "file_name": "report.pdf",
    "file_size": 4096,
    "file_hash": "abc",
    "chunks": [{"chunk_id": "report-0", "hash": "abc", "size": 4096, "index": 0}],
})))]
pub(in crate::api::rest) struct RegisterFileRequest {
    #[schema(value_type = Id)]
    file_id: String,
    #[schema(value_type = FileName)]
    file_name: String,
    /// Bytes.
    #[schema(value_type = FileSize)]
    file_size: Whole,
    /// Of the whole content.
    #[schema(value_type = Hash)]
    file_hash: String,
    /// In any order; no id and no index twice.
    #[schema(value_type = ChunkList)]
    chunks: Vec<Object<ChunkMetadata>>,
    /// Who registers the file.
    #[schema(value_type = Option<OptionalId>)]
    owner_node_id: Option<String>,
}

/// A chunk as a client describes it.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::api::rest) struct ChunkMetadata {
    #[schema(value_type = Id)]
    chunk_id: String,
    /// Of its content.
    #[schema(value_type = Hash)]
    hash: String,
    /// Bytes.
    #[schema(value_type = ChunkSize)]
    size: Whole,
    /// Where it stands in the file; 0 if left out.
    #[schema(value_type = Option<ChunkIndex>)]
    index: Option<Whole>,
}

impl From<RegisterFileRequest> for FileRegistration {
    fn from(request: RegisterFileRequest) -> Self {
        let RegisterFileRequest {
            file_id,
            file_name,
            file_size,
            file_hash,
            chunks,
            owner_node_id,
        } = request;
        Self {
            file_id,
            file_name,
            file_size: file_size.0,
            file_hash,
            chunks: chunks.into_iter().map(|Object(chunk)| chunk.into()).collect(),
            owner_node_id: owner_node_id.unwrap_or_default(),
        }
    }
}

impl From<ChunkMetadata> for ChunkDescription {
    fn from(chunk: ChunkMetadata) -> Self {
        let ChunkMetadata {
            chunk_id,
            hash,
            size,
            index,
        } = chunk;
        Self {
            chunk_id,
            hash,
            size: size.0,
            index: index.unwrap_or_default().0,
        }
    }
}

/// Where the chunks of a file go.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct RegisterFileResponse {
    success: bool,
    message: String,
    /// By ascending index of the chunks.
    chunk_placements: Vec<ChunkPlacement>,
}

/// Where a chunk goes.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ChunkPlacement {
    chunk_id: String,
    target_nodes: Vec<String>,
    /// The replicas wanted.
    replication_factor: i32,
}

impl RegisterFileResponse {
    /// The file is registered.
    pub(in crate::api::rest) fn registered(file: RegisteredFile) -> Self {
        let RegisteredFile { placements, wanted } = file;
        let replication_factor = i32::try_from(wanted).unwrap_or(i32::MAX);
        let placed = placements
            .into_iter()
            .map(|Placement { chunk, nodes }| ChunkPlacement {
                chunk_id: chunk.into(),
                target_nodes: nodes.into_iter().map(String::from).collect(),
                replication_factor,
            });
        Self {
            success: true,
            message: "File registered".to_owned(),
            chunk_placements: placed.collect(),
        }
    }

    /// It is not.
    pub(in crate::api::rest) const fn refused(message: String) -> Self {
        Self {
            success: false,
            message,
            chunk_placements: Vec::new(),
        }
    }
}
