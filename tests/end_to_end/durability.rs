//! What was acknowledged is there, however the process ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use zephyrfs_tests::{Rest, TestNode, until};

/// A file of three chunks, as a client registers it.
fn file(id: &str) -> Value {
    let chunk = |index: usize| json!({"chunk_id": format!("{id}-{index}"), "hash": format!("hash-{id}-{index}"), "size": 1_000, "index": index});
    json!({"file_id": id, "file_name": format!("{id}.bin"), "file_size": 3_000, "file_hash": format!("hash-{id}"),
           "chunks": [chunk(0), chunk(1), chunk(2)]})
}

/// Registers files until the coordinator is gone; gives those that were acknowledged.
async fn write_until_gone(
    rest: Rest,
    round: usize,
    writer: usize,
    acknowledged: Arc<AtomicU64>,
) -> Vec<String> {
    let mut done = Vec::new();
    for number in 0.. {
        let id = format!("f-{round}-{writer}-{number}");
        match rest
            .send("POST", "/api/v1/files/register", Some(&file(&id)))
            .await
        {
            Ok(answer) if answer.status == 201 => {
                acknowledged.fetch_add(1, Ordering::Relaxed);
                done.push(id);
            }
            Ok(answer) => assert_eq!(answer.status, 503, "only a stopping replica refuses: {answer:?}"),
            Err(_) => break,
        }
    }
    done
}

async fn assert_all_present(node: &TestNode, files: &[String]) {
    let rest = node.rest();
    for id in files {
        let answer = rest.get(&format!("/api/v1/files/{id}")).await;
        assert_eq!(
            answer.status, 200,
            "{id} was acknowledged and is gone: {answer:?}"
        );
        let chunks = answer.body["file_info"]["chunks"].as_array().map_or(0, Vec::len);
        assert_eq!(chunks, 3, "{id} has lost chunks: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_by_kill_nine() {
    let mut node = TestNode::start().await;
    node.register_nodes(4).await;
    let mut files = Vec::new();
    // Killed once while the log is young, and then after more and more writes, so that the state was flushed in some rounds
    // and in others was not.
    for (round, wanted) in [5, 40, 200, 600].into_iter().enumerate() {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                tokio::spawn(write_until_gone(
                    node.rest(),
                    round,
                    writer,
                    Arc::clone(&acknowledged),
                ))
            })
            .collect();
        until("enough writes are acknowledged", async || {
            (acknowledged.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
        node.kill().await;
        for writer in writers {
            files.extend(writer.await.unwrap());
        }
        node.start_again().await;
        assert_all_present(&node, &files).await;
    }
    let totals = node.rest().get("/api/v1/network/stats").await.body;
    let listed = totals["total_files"].as_u64().unwrap();
    assert!(
        listed >= files.len() as u64,
        "{listed} files of {} acknowledged",
        files.len()
    );
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_requests_and_ends_with_zero() {
    let mut node = TestNode::start().await;
    node.register_nodes(4).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            tokio::spawn(write_until_gone(
                node.rest(),
                0,
                writer,
                Arc::clone(&acknowledged),
            ))
        })
        .collect();
    until("some writes are acknowledged", async || {
        (acknowledged.load(Ordering::Relaxed) >= 20).then_some(())
    })
    .await;
    assert_eq!(node.stop().await, Some(0), "{:?}", node.log());
    let mut files = Vec::new();
    for writer in writers {
        files.extend(writer.await.unwrap());
    }
    node.start_again().await;
    assert_all_present(&node, &files).await;
    let checks = node.events("Checking the database after an unclean stop");
    assert_eq!(checks, [] as [Value; 0], "an orderly end closes the databases");
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_repeats_the_answer_and_not_the_effect_across_a_crash() {
    let mut node = TestNode::start().await;
    let client = reqwest::Client::new();
    let register = async |base: String, capacity: u64| {
        let body = json!({"addresses": ["10.0.0.1:7000"], "storage_capacity": capacity});
        let request = client
            .post(format!("{base}/api/v1/nodes/register"))
            .header("Idempotency-Key", "once");
        let response = request.json(&body).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    let (status, first) = register(node.rest().base().to_owned(), 1_000).await;
    assert_eq!(status, 200);
    node.kill().await;
    node.start_again().await;
    let (status, again) = register(node.rest().base().to_owned(), 1_000).await;
    assert_eq!((status, &again), (200, &first), "the minted id must be the same");
    let (status, other) = register(node.rest().base().to_owned(), 2_000).await;
    assert!(
        (400..500).contains(&status),
        "another body under the same key: {status} {other}"
    );
    let nodes = node.rest().get("/api/v1/nodes").await.body;
    assert_eq!(nodes["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(node.stop().await, Some(0));
}
