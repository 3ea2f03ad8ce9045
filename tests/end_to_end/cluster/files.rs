//! Files as the tests of clusters register them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zephyrfs_tests::{Rest, TestCluster};

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

/// Every file must be listed by every replica from its own state, once all have applied equally much; and all hold the
/// same rows.
pub(super) async fn assert_all_registered(cluster: &TestCluster, files: &[String]) {
    assert!(!files.is_empty(), "no write was acknowledged");
    cluster.until_same_rows().await;
    for replica in cluster.replicas() {
        let listed = listed(replica.rest(), "files", "file_id").await;
        let lost: Vec<_> = files.iter().filter(|file| !listed.contains(*file)).collect();
        assert!(lost.is_empty(), "{} has lost {lost:?}", replica.name());
    }
}

/// The ids of everything in a list, as a replica has it itself.
pub(super) async fn listed(rest: &Rest, list: &str, id: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut token = String::new();
    loop {
        let page = rest
            .get(&format!("/api/v1/{list}?consistency=local&limit=1000{token}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().unwrap();
        all.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
        match page.body["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return all,
        }
    }
}
