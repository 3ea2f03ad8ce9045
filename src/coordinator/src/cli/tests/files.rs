//! `coordinator file`.

use serde_json::{Value, json};

use super::{ask, run};
use crate::cli::testing::{FakeServer, Reaction};

/// A file of two chunks of four bytes that are alike, and one of two.
const CONTENT: &[u8] = b"aaaaaaaabb";

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_string()
}

fn add(server: &FakeServer, content: &[u8], options: &[&str]) -> super::Finished {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("local.txt");
    std::fs::write(&path, content).unwrap();
    let url = server.url();
    let words = [
        "file",
        "add",
        path.to_str().unwrap(),
        "--chunk-size",
        "4",
        "--endpoint",
        &url,
    ];
    run(words.into_iter().chain(options.iter().copied()))
}

/// The ids of the chunks of `CONTENT`.
fn chunk_ids() -> Vec<String> {
    let nobody = FakeServer::start([]);
    let described = add(&nobody, CONTENT, &["--dry-run", "-o", "json"]).json();
    assert_eq!(nobody.lines().len(), 0, "a dry run asks nobody");
    let chunks = described["chunks"].as_array().unwrap().iter();
    chunks
        .map(|chunk| chunk["chunk_id"].as_str().unwrap().to_owned())
        .collect()
}

fn placements(nodes: &[&str]) -> Reaction {
    let placement = |id| json!({ "chunk_id": id, "target_nodes": nodes, "replication_factor": 2 });
    let placements: Vec<_> = chunk_ids().into_iter().map(placement).collect();
    let body = json!({ "success": true, "message": "", "chunk_placements": placements });
    Reaction::reply(201, body.to_string())
}

#[test]
fn a_file_is_registered_as_it_is() {
    let server = FakeServer::start([placements(&["n1", "n2"])]);
    let finished = add(&server, CONTENT, &["-o", "json", "--owner", "n9"]);
    let ids = chunk_ids();
    assert_eq!(ids[0], hash(b"aaaa"));
    assert_eq!(ids[2], hash(b"bb"));
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].line, "POST /api/v1/files/register");
    assert_eq!(received[0].key.as_ref().map(String::len), Some(32));
    assert_eq!(
        serde_json::from_str::<Value>(&received[0].body).unwrap(),
        json!({
            "file_id": hash(CONTENT),
            "file_name": "local.txt",
            "file_size": 10,
            "file_hash": hash(CONTENT),
            "owner_node_id": "n9",
            "chunks": [
                { "chunk_id": ids[0], "hash": hash(b"aaaa"), "size": 4, "index": 0 },
                { "chunk_id": ids[1], "hash": hash(b"aaaa"), "size": 4, "index": 1 },
                { "chunk_id": ids[2], "hash": hash(b"bb"), "size": 2, "index": 2 },
            ],
        })
    );
    let printed = finished.json();
    assert_eq!(printed["file_id"], json!(hash(CONTENT)));
    assert_eq!(
        printed["chunks"][1],
        json!({ "chunk_id": ids[1], "hash": hash(b"aaaa"), "size": 4, "index": 1, "nodes": ["n1", "n2"] })
    );
}

#[test]
fn id_name_and_key_can_be_chosen() {
    let server = FakeServer::start([placements(&["n1", "n2"])]);
    add(
        &server,
        CONTENT,
        &[
            "--id",
            "f/1",
            "--name",
            "a b",
            "--idempotency-key",
            "k1",
            "-o",
            "json",
        ],
    )
    .json();
    let received = server.received();
    let body: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(
        (&body["file_id"], &body["file_name"]),
        (&json!("f/1"), &json!("a b"))
    );
    assert_eq!(received[0].key.as_deref(), Some("k1"));
}

#[test]
fn an_empty_file_has_no_chunks() {
    let server = FakeServer::start([Reaction::reply(201, r#"{"success":true,"chunk_placements":[]}"#)]);
    let printed = add(&server, b"", &["-o", "json"]).json();
    assert_eq!(
        (&printed["file_size"], &printed["chunks"]),
        (&json!(0), &json!([]))
    );
    let body: Value = serde_json::from_str(&server.received()[0].body).unwrap();
    assert_eq!((&body["file_size"], &body["chunks"]), (&json!(0), &json!([])));
}

#[test]
fn the_table_tells_where_chunks_go_and_when_copies_are_missing() {
    let server = FakeServer::start([placements(&["n1"])]);
    let finished = add(&server, CONTENT, &["-o", "table"]);
    assert_eq!(finished.code, 0);
    let last = finished.results.lines().last().unwrap();
    assert_eq!(last, format!("     2  {}   2 B       1  n1", hash(b"bb")));
    assert!(
        finished
            .messages
            .contains("3 of 3 chunks have fewer than the 2 copies wanted"),
        "{finished:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_not_registered() {
    let server = FakeServer::start([Reaction::Close]);
    for path in ["/", "/dev/null", "/no/such/file"] {
        let finished = ask(&server, "json", &format!("file add {path} --name n"));
        assert_eq!(finished.code, 1, "{finished:?}");
        assert!(finished.messages.contains(path), "{finished:?}");
    }
    assert_eq!(server.lines().len(), 0);
}

#[test]
fn a_file_is_shown_with_its_chunks() {
    let body = json!({ "success": true, "message": "", "file_info": {
        "file_id": "f1", "file_name": "a\u{1b}b", "file_size": 4_194_305, "file_hash": "h", "owner_node_id": "",
        "created_at": 1_767_323_045, "last_accessed": 0,
        "chunks": [
            { "chunk_id": "c1", "hash": "h1", "size": 4_194_304, "index": 0, "stored_at_nodes": ["n1", "n2"],
              "replication_count": 2 },
            { "chunk_id": "c2", "hash": "h2", "size": 1, "index": 1, "stored_at_nodes": [], "replication_count": 0 },
        ],
    }});
    let server = FakeServer::start([Reaction::reply(200, body.to_string())]);
    assert_eq!(
        ask(&server, "table", "file show f1").table(),
        concat!(
            " File     f1\n",
            " Name     a\\u{1b}b\n",
            " Size     4.0 MiB\n",
            " Hash     h\n",
            " Owner    -\n",
            " Created  2026-01-02T03:04:05Z\n",
            " Chunks   2\n",
            "\n",
            " INDEX  CHUNK     SIZE  COPIES  NODES\n",
            "     0  c1     4.0 MiB       2  n1, n2\n",
            "     1  c2         1 B       0  -\n",
        )
    );
    assert_eq!(ask(&server, "json", "file show f1").json(), body);
}

#[test]
fn lists_are_gathered_over_pages_up_to_the_limit() {
    let page = |ids: &[&str], next: Option<&str>| {
        let items: Vec<_> = ids
            .iter()
            .map(|id| json!({ "file_id": id, "file_name": "n", "file_size": 1 }))
            .collect();
        Reaction::reply(
            200,
            json!({ "items": items, "next_page_token": next }).to_string(),
        )
    };
    let server = FakeServer::start([page(&["a", "b"], Some("t1")), page(&["c"], None)]);
    let printed = ask(&server, "json", "file list").json();
    let ids: Vec<_> = printed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["file_id"])
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(printed["next_page_token"], Value::Null);
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/files?limit=100",
            "GET /api/v1/files?limit=98&page_token=t1"
        ]
    );

    let server = FakeServer::start([page(&["a", "b"], Some("t1"))]);
    let finished = ask(&server, "table", "file list --limit 2 --page-token t0");
    assert_eq!(server.lines(), ["GET /api/v1/files?limit=2&page_token=t0"]);
    assert_eq!(finished.results.lines().count(), 3);
    assert!(finished.messages.contains("--page-token t1"), "{finished:?}");

    let circling = FakeServer::start([page(&["a"], Some("t1"))]);
    assert_eq!(ask(&circling, "json", "file list").code, 0);
    assert_eq!(circling.lines().len(), 2);
}
