//! Lists come in pages.

use std::collections::BTreeSet;

use serde_json::json;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_through_the_whole_list_once() {
    let server = Server::start().await;
    server.register_node("n1").await;
    for number in 0..7 {
        server.register_file(&format!("f{number}"), &[]).await;
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = server
            .get(&format!("/api/v1/files?limit=3&page_token={token}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|item| item["file_id"].as_str().unwrap().to_owned()),
        );
        match page.body["next_page_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(
        seen,
        (0..7).map(|number| format!("f{number}")).collect::<Vec<_>>()
    );
    let all = server.get("/api/v1/files").await;
    assert_eq!(all.body["next_page_token"], json!(null));
    let keys: BTreeSet<_> = all.body["items"][0]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let expected = [
        "file_id",
        "file_name",
        "file_size",
        "file_hash",
        "chunk_count",
        "owner_node_id",
        "created_at",
    ];
    assert_eq!(keys, expected.map(str::to_owned).into());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_listed_by_status() {
    let server = Server::start().await;
    for id in ["n1", "n2", "n3"] {
        server.register_node(id).await;
    }
    server.post_nothing("/api/v1/nodes/n2/drain").await;
    let ids = async |query: &str| {
        let page = server.get(&format!("/api/v1/nodes{query}")).await;
        let items = page.body["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|node| node["node_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, ["n1", "n2", "n3"]);
    assert_eq!(ids("?status=draining").await, ["n2"]);
    assert_eq!(ids("?status=active&limit=1").await, ["n1"]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_page_is_refused_by_name() {
    let server = Server::start().await;
    for (path, details) in [
        ("files?limit=1001", "limit: must be a whole number from 1 to 1000"),
        ("files?limit=0", "limit: must be a whole number from 1 to 1000"),
        ("files?page_token=zz", "page_token: must be the next_page_token"),
        ("files?page_token=6A", "page_token: must be the next_page_token"),
        (
            "nodes?status=asleep",
            "status: must be active, inactive, maintenance or draining",
        ),
        ("nodes?status=", "status: must not be empty"),
        ("nodes?limit=1&limit=2", "limit: must be given once"),
        ("tasks?state=done", "state: must be pending or issued"),
        ("tasks?node=%0A", "node: must not contain control characters"),
        ("tasks?consistency=sometimes", "consistency: must be"),
    ] {
        server
            .get(&format!("/api/v1/{path}"))
            .await
            .assert_error(400, details);
    }
    let tasks = server.get("/api/v1/tasks?node=n1&state=pending&limit=1000").await;
    assert_eq!(tasks.body, json!({"items": [], "next_page_token": null}));
    server.end().await;
}
