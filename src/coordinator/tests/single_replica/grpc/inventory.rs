//! What a node says it holds.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::iter;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};
use zephyrfs_coordinator::service::Repair;
use zephyrfs_core::engine::Engine as _;
use zephyrfs_proto::coordinator as wire;

use super::messages::{chunk, file, registration};
use crate::support::grpc::GrpcReplica;

/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn held(chunk_id: &str, hash: &str) -> wire::HeldChunk {
    wire::HeldChunk {
        chunk_id: chunk_id.to_owned(),
        hash: format!("hash of {hash}"),
        size: 1_000,
    }
}

async fn report(
    replica: &GrpcReplica,
    node_id: &str,
    pages: Vec<Vec<wire::HeldChunk>>,
) -> Result<wire::ReportInventoryResponse, Status> {
    let page = |chunks| wire::InventoryPage {
        node_id: node_id.to_owned(),
        chunks,
    };
    let pages: Vec<_> = pages.into_iter().map(page).collect();
    let answer = replica.client().report_inventory(iter(pages)).await?;
    Ok(answer.into_inner())
}

/// A file of chunks `x`, `y` and `z`, stored on both of nodes `a` and `b`; `c` has nothing.
async fn scene() -> GrpcReplica {
    let replica = GrpcReplica::start().await;
    for node in ["a", "b"] {
        replica.client().register_node(registration(node)).await.unwrap();
    }
    let chunks = ["x", "y", "z"]
        .into_iter()
        .zip(0..)
        .map(|(id, index)| chunk(id, index));
    let file = file("f", chunks.collect());
    replica.client().register_file(file).await.unwrap();
    for chunk_id in ["x", "y", "z"] {
        let update = wire::UpdateChunkLocationsRequest {
            chunk_id: chunk_id.to_owned(),
            node_ids: vec!["a".to_owned(), "b".to_owned()],
            operation: "add".to_owned(),
        };
        replica.client().update_chunk_locations(update).await.unwrap();
    }
    replica.client().register_node(registration("c")).await.unwrap();
    replica
}

async fn tasks(replica: &GrpcReplica) -> Vec<(String, String, String)> {
    let list = replica
        .client()
        .list_tasks(wire::ListTasksRequest::default())
        .await;
    let items = list.unwrap().into_inner().items;
    items
        .into_iter()
        .map(|task| (task.node_id, task.r#type, task.chunk_id))
        .collect()
}

async fn locations(replica: &GrpcReplica, chunk_id: &str) -> Vec<String> {
    let request = wire::FindChunkLocationsRequest {
        chunk_id: chunk_id.to_owned(),
        preferred_count: 0,
    };
    let found = replica.client().find_chunk_locations(request).await.unwrap();
    found.into_inner().node_ids
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_lacks_is_fetched_anew_and_what_nobody_knew_of_counts() {
    let replica = scene().await;
    let [x, y, z] = [held("x", "x"), held("y", "y"), held("z", "z")];
    let all = report(&replica, "a", vec![vec![x.clone()], vec![y.clone(), z.clone()]])
        .await
        .unwrap();
    assert!(all.success);
    assert_eq!(
        (all.chunks, all.found, all.missing, all.quarantined),
        (3, 0, 0, 0)
    );

    // Long after the chunks were registered, so that nobody expects a client to bring them.
    replica.replica.pass(Duration::from_secs(3_600));
    for node in ["a", "b", "c"] {
        replica.client().register_node(registration(node)).await.unwrap();
    }
    let some = report(&replica, "a", vec![vec![x], vec![held("y", "rotten")]])
        .await
        .unwrap();
    assert_eq!(
        (some.chunks, some.found, some.missing, some.quarantined),
        (2, 0, 2, 0)
    );
    let fetch = |chunk: &str| ("a".to_owned(), "replicate".to_owned(), chunk.to_owned());
    assert!(tasks(&replica).await.is_empty(), "their turn comes");
    replica
        .replica
        .service
        .repair(&mut Repair::default(), Duration::ZERO)
        .await
        .unwrap();
    let told = tasks(&replica).await;
    assert!(
        told.contains(&fetch("y")) && told.contains(&fetch("z")),
        "{told:?}"
    );
    assert_eq!(
        locations(&replica, "y").await[0],
        "b",
        "what is stored comes first"
    );

    let more = report(&replica, "c", vec![vec![z, held("nobody-knows", "h")]])
        .await
        .unwrap();
    assert_eq!(
        (more.chunks, more.found, more.missing, more.quarantined),
        (2, 1, 0, 1)
    );
    assert_eq!(locations(&replica, "z").await[..2], ["b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_disk_is_an_inventory_of_one_empty_page() {
    let replica = scene().await;
    let nothing = report(&replica, "b", vec![vec![]]).await.unwrap();
    assert_eq!((nothing.chunks, nothing.missing), (0, 3));
    for chunk in ["x", "y", "z"] {
        assert_eq!(locations(&replica, chunk).await, ["a", "b"], "its place is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_without_a_page_or_of_a_stranger_is_refused() {
    let replica = scene().await;
    let none = report(&replica, "a", vec![]).await.unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
    let stranger = report(&replica, "nobody", vec![vec![held("x", "x")]])
        .await
        .unwrap();
    assert!(!stranger.success);
    assert_eq!(stranger.message, "node nobody is not registered");
    let bad = report(&replica, "a", vec![vec![held("", "x")]])
        .await
        .unwrap_err();
    assert!(
        bad.message().starts_with("chunks[0].chunk_id"),
        "{}",
        bad.message()
    );
    assert!(
        tasks(&replica).await.is_empty(),
        "what was not named to the end lacks nothing"
    );
}

/// An inventory of a node of which one page has been taken, and no other comes: until the sender is dropped.
async fn begun(
    replica: &GrpcReplica,
    node_id: &str,
    timeout: Option<Duration>,
) -> (
    mpsc::Sender<wire::InventoryPage>,
    JoinHandle<Result<wire::ReportInventoryResponse, Status>>,
) {
    let (pages, to_send) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(to_send));
    if let Some(timeout) = timeout {
        request.set_timeout(timeout);
    }
    let mut client = replica.client();
    let answer = tokio::spawn(async move { Ok(client.report_inventory(request).await?.into_inner()) });
    let before = replica.replica.engine.totals().index;
    let page = wire::InventoryPage {
        node_id: node_id.to_owned(),
        chunks: vec![held(&format!("unknown of {node_id} at {before}"), "h")],
    };
    pages.send(page).await.unwrap();
    while replica.replica.engine.totals().index == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (pages, answer)
}

async fn refused(answer: JoinHandle<Result<wire::ReportInventoryResponse, Status>>) -> Status {
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    answer.expect("an answer").unwrap().unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_does_not_hold_up_the_end_of_the_server() {
    let replica = GrpcReplica::start_with(|options| options.drain = PATIENCE * 2).await;
    replica.client().register_node(registration("a")).await.unwrap();
    let (_pages, answer) = begun(&replica, "a", None).await;
    let stopping = tokio::spawn(replica.stop());
    let status = refused(answer).await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("is stopping"), "{status}");
    let stopped = tokio::time::timeout(PATIENCE, stopping).await;
    stopped.expect("it ends").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_s_deadline_ends_an_inventory_with_an_answer() {
    let replica = GrpcReplica::start().await;
    replica.client().register_node(registration("a")).await.unwrap();
    let (_pages, answer) = begun(&replica, "a", Some(Duration::from_secs(2))).await;
    let status = refused(answer).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(status.message().starts_with("the deadline passed"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_inventory_of_a_node_ends_the_older() {
    let replica = scene().await;
    let (_pages, older) = begun(&replica, "a", None).await;
    let (_others, _other) = begun(&replica, "b", None).await;
    let newer = report(&replica, "a", vec![vec![], vec![held("x", "x")]])
        .await
        .unwrap();
    assert_eq!((newer.chunks, newer.missing), (1, 2));
    let status = refused(older).await;
    assert_eq!(status.code(), Code::Aborted, "{status}");
}
