//! Messages that the tests send, and what they read of a reply beside its message.

use std::collections::HashMap;

use tonic::{Code, Request, Response, Status};
use zephyrfs_proto::coordinator as wire;

/// A node of 1 GB.
pub(crate) fn registration(id: &str) -> wire::RegisterNodeRequest {
    wire::RegisterNodeRequest {
        node_id: id.to_owned(),
        addresses: vec![format!("{id}:9000")],
        storage_capacity: 1_000_000_000,
        capabilities: HashMap::from([("zone".to_owned(), "z1".to_owned())]),
    }
}

/// A chunk of 1,000 bytes.
pub(crate) fn chunk(id: &str, index: i32) -> wire::ChunkMetadata {
    wire::ChunkMetadata {
        chunk_id: id.to_owned(),
        hash: format!("hash of {id}"),
        size: 1_000,
        index,
    }
}

/// A file of 2,000 bytes in these chunks.
pub(crate) fn file(id: &str, chunks: Vec<wire::ChunkMetadata>) -> wire::RegisterFileRequest {
    wire::RegisterFileRequest {
        file_id: id.to_owned(),
        file_name: "name".to_owned(),
        file_size: 2_000,
        file_hash: format!("hash of {id}"),
        chunks,
        owner_node_id: String::new(),
    }
}

/// The index that a reply says it speaks of.
pub(crate) fn index_of<T>(response: &Response<T>) -> u64 {
    let index = response
        .metadata()
        .get("applied-index")
        .expect("a reply says its index");
    index.to_str().unwrap().parse().unwrap()
}

/// A message with metadata.
pub(crate) fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Asserts that a request was refused for what one of its fields says.
pub(crate) fn refused<T>(result: Result<Response<T>, Status>, field: &str) {
    let status = result.err().expect(field);
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().starts_with(&format!("{field}: ")), "{status}");
}
