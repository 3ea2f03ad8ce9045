//! Files.

use zephyrfs_core::Placement;
use zephyrfs_core::row::FileRow;
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::{len_to_i32, to_i32, to_i64};
use crate::service::{
    ChunkDescription, FileChunkDetails, FileDetails, FileRegistration, FileSummary, ListPage, PageQuery,
    RegisteredFile,
};

impl From<wire::RegisterFileRequest> for FileRegistration {
    fn from(request: wire::RegisterFileRequest) -> Self {
        let wire::RegisterFileRequest {
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
            file_size,
            file_hash,
            chunks: chunks.into_iter().map(ChunkDescription::from).collect(),
            owner_node_id,
        }
    }
}

impl From<wire::ChunkMetadata> for ChunkDescription {
    fn from(chunk: wire::ChunkMetadata) -> Self {
        let wire::ChunkMetadata {
            chunk_id,
            hash,
            size,
            index,
        } = chunk;
        Self {
            chunk_id,
            hash,
            size,
            index: index.into(),
        }
    }
}

impl FromAnswer<RegisteredFile> for wire::RegisterFileResponse {
    fn done(RegisteredFile { placements, wanted }: RegisteredFile) -> Self {
        let chunk_placements = placements
            .into_iter()
            .map(|Placement { chunk, nodes }| wire::ChunkPlacement {
                chunk_id: chunk.into(),
                target_nodes: nodes.into_iter().map(String::from).collect(),
                replication_factor: to_i32(wanted.into()),
            })
            .collect();
        Self {
            success: true,
            message: "file registered".to_owned(),
            chunk_placements,
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            chunk_placements: Vec::new(),
        })
    }
}

impl FromAnswer<FileDetails> for wire::GetFileInfoResponse {
    fn done(details: FileDetails) -> Self {
        Self {
            success: true,
            message: "file found".to_owned(),
            file_info: Some(file_record(details)),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            file_info: None,
        })
    }
}

impl FromAnswer<()> for wire::DeleteFileResponse {
    fn done((): ()) -> Self {
        Self {
            success: true,
            message: "file deleted".to_owned(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        let success = false;
        Some(Self { success, message })
    }
}

impl From<wire::ListFilesRequest> for PageQuery {
    fn from(request: wire::ListFilesRequest) -> Self {
        let wire::ListFilesRequest { limit, page_token } = request;
        Self {
            limit: limit.into(),
            token: page_token,
        }
    }
}

impl FromAnswer<ListPage<FileSummary>> for wire::ListFilesResponse {
    fn done(page: ListPage<FileSummary>) -> Self {
        Self {
            items: page.items.into_iter().map(file_summary).collect(),
            next_page_token: page.next_page_token.unwrap_or_default(),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

fn file_record(details: FileDetails) -> wire::FileRecord {
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
    wire::FileRecord {
        file_id: id.into(),
        file_name: name,
        file_size: size.to_wire(),
        file_hash: hash.into(),
        chunks: chunks.into_iter().map(chunk_record).collect(),
        owner_node_id: owner.map_or_else(String::new, String::from),
        created_at: created_at.as_unix_seconds(),
        last_accessed: last_accessed.as_unix_seconds(),
    }
}

fn chunk_record(chunk: FileChunkDetails) -> wire::ChunkRecord {
    let FileChunkDetails {
        id,
        hash,
        size,
        index,
        nodes,
    } = chunk;
    wire::ChunkRecord {
        chunk_id: id.into(),
        hash: hash.into(),
        size: size.to_wire(),
        index: to_i32(index.into()),
        replication_count: len_to_i32(nodes.len()),
        stored_at_nodes: nodes.into_iter().map(String::from).collect(),
    }
}

fn file_summary(FileSummary { id, file }: FileSummary) -> wire::FileSummary {
    let FileRow {
        name,
        size,
        hash,
        owner,
        created_at,
        chunks,
    } = file;
    wire::FileSummary {
        file_id: id.into(),
        file_name: name,
        file_size: size.to_wire(),
        file_hash: hash.into(),
        chunk_count: to_i64(chunks.len() as u64),
        owner_node_id: owner.map_or_else(String::new, String::from),
        created_at: created_at.as_unix_seconds(),
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::Placement;
    use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
    use zephyrfs_core::row::{FileChunk, FileRow};
    use zephyrfs_core::units::{ByteSize, Timestamp};
    use zephyrfs_proto::coordinator as wire;

    use super::super::super::status::FromAnswer as _;
    use crate::service::{
        FileChunkDetails, FileDetails, FileRegistration, FileSummary, ListPage, RegisteredFile,
    };

    fn file() -> FileRow {
        FileRow {
            name: "name".to_owned(),
            size: ByteSize::new(30),
            hash: ContentHash::from("h"),
            owner: Some(NodeId::from("o")),
            created_at: Timestamp::from_millis(3_000),
            chunks: [FileChunk {
                id: ChunkId::from("c"),
                index: 4,
            }]
            .into(),
        }
    }

    #[test]
    fn a_registration_comes_in_as_it_was_sent() {
        let request = wire::RegisterFileRequest {
            file_id: "f".to_owned(),
            file_name: "name".to_owned(),
            file_size: -1,
            file_hash: "h".to_owned(),
            chunks: vec![wire::ChunkMetadata {
                chunk_id: "c".to_owned(),
                hash: "ch".to_owned(),
                size: -2,
                index: i32::MIN,
            }],
            owner_node_id: "o".to_owned(),
        };
        let registration = FileRegistration::from(request);
        assert_eq!((registration.file_id.as_str(), registration.file_size), ("f", -1));
        assert_eq!(
            (registration.file_name.as_str(), registration.file_hash.as_str()),
            ("name", "h")
        );
        assert_eq!(registration.owner_node_id, "o");
        let chunk = &registration.chunks[0];
        assert_eq!((chunk.chunk_id.as_str(), chunk.hash.as_str()), ("c", "ch"));
        assert_eq!((chunk.size, chunk.index), (-2, i64::from(i32::MIN)));
    }

    #[test]
    fn placements_carry_the_replicas_wanted() {
        let response = wire::RegisterFileResponse::done(RegisteredFile {
            placements: vec![Placement {
                chunk: ChunkId::from("c"),
                nodes: vec![NodeId::from("a"), NodeId::from("b")],
            }],
            wanted: 3,
        });
        let expected = wire::ChunkPlacement {
            chunk_id: "c".to_owned(),
            target_nodes: vec!["a".to_owned(), "b".to_owned()],
            replication_factor: 3,
        };
        assert!(response.success);
        assert_eq!(response.chunk_placements, [expected]);
    }

    #[test]
    fn a_file_comes_with_the_nodes_of_its_chunks() {
        let response = wire::GetFileInfoResponse::done(FileDetails {
            id: FileId::from("f"),
            file: file(),
            chunks: vec![FileChunkDetails {
                id: ChunkId::from("c"),
                hash: ContentHash::from("ch"),
                size: ByteSize::new(30),
                index: u32::MAX,
                nodes: vec![NodeId::from("a"), NodeId::from("b")],
            }],
            last_accessed: Timestamp::from_millis(3_999),
        });
        let expected = wire::FileRecord {
            file_id: "f".to_owned(),
            file_name: "name".to_owned(),
            file_size: 30,
            file_hash: "h".to_owned(),
            chunks: vec![wire::ChunkRecord {
                chunk_id: "c".to_owned(),
                hash: "ch".to_owned(),
                size: 30,
                index: i32::MAX,
                stored_at_nodes: vec!["a".to_owned(), "b".to_owned()],
                replication_count: 2,
            }],
            owner_node_id: "o".to_owned(),
            created_at: 3,
            last_accessed: 3,
        };
        assert_eq!(response.file_info, Some(expected));
    }

    #[test]
    fn the_last_page_has_no_token() {
        let page = |next_page_token| ListPage {
            items: vec![FileSummary {
                id: FileId::from("f"),
                file: file(),
            }],
            next_page_token,
        };
        let last = wire::ListFilesResponse::done(page(None));
        assert_eq!(
            (last.items[0].chunk_count, last.next_page_token.as_str()),
            (1, "")
        );
        let first = wire::ListFilesResponse::done(page(Some("66".to_owned())));
        assert_eq!(first.next_page_token, "66");
    }
}
