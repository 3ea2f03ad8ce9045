//! Files as the tests of clusters register them.

use serde_json::{Value, json};
use zephyrfs_tests::Rest;

/// A file of one chunk.
pub(super) fn file(id: &str) -> Value {
    json!({"file_id": id, "file_name": format!("{id}.bin"), "file_size": 1_000, "file_hash": format!("hash of {id}"),
           "chunks": [{"chunk_id": format!("{id}-0"), "hash": format!("hash of {id}-0"), "size": 1_000, "index": 0}]})
}

/// Registers a file, which must be taken.
pub(super) async fn register(rest: &Rest, id: &str) -> u64 {
    let answer = rest.post("/api/v1/files/register", &file(id)).await;
    assert_eq!(answer.status, 201, "{id}: {answer:?}");
    answer.applied_index.unwrap()
}

/// Every file must be there, whole, for a read with this query.
pub(super) async fn assert_present(rest: &Rest, files: &[String], query: &str) {
    for id in files {
        let answer = rest.get(&format!("/api/v1/files/{id}{query}")).await;
        assert_eq!(answer.status, 200, "{id} is gone at {}: {answer:?}", rest.base());
        assert_eq!(
            answer.body["file_info"]["file_hash"],
            format!("hash of {id}"),
            "{answer:?}"
        );
        let chunks = answer.body["file_info"]["chunks"].as_array().map(Vec::len);
        assert_eq!(chunks, Some(1), "{id} has lost its chunk: {answer:?}");
    }
}
