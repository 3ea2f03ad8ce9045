//! Inventories against the embedded engine: what they record, and what they leave alone.

use zephyrfs_coordinator::service::{
    ChunkDescription, InventoryTaken, LocationUpdate, RequestContext, ServiceError,
};
use zephyrfs_core::Command;
use zephyrfs_core::command::DeleteCopies;
use zephyrfs_core::engine::Engine as _;
use zephyrfs_core::units::{Millis, Timestamp};

use crate::support::{Replica, file};

/// A chunk as a node names it, of the content that it should have.
fn held(chunk: &str) -> ChunkDescription {
    holding(chunk, chunk)
}

fn holding(chunk: &str, content: &str) -> ChunkDescription {
    ChunkDescription {
        chunk_id: chunk.to_owned(),
        hash: format!("hash of {content}"),
        size: 1_000,
        index: 0,
    }
}

async fn store(replica: &Replica, chunk: &str, nodes: &[&str]) {
    let stored = LocationUpdate {
        chunk_id: chunk.to_owned(),
        node_ids: nodes.iter().map(|node| (*node).to_owned()).collect(),
        operation: "add".to_owned(),
    };
    replica
        .service
        .update_chunk_locations(stored, RequestContext::default())
        .await
        .unwrap();
}

/// A file of chunks `x` and `y` on nodes `a` and `b`, of which `x` is stored; `c` has nothing.
async fn scene(replica: &Replica) {
    replica.register_nodes(&["a", "b"]).await;
    let registered = replica
        .service
        .register_file(file("f", &["x", "y"]), RequestContext::default());
    registered.await.unwrap();
    store(replica, "x", &["a", "b"]).await;
    replica.register_nodes(&["c"]).await;
}

async fn taken(replica: &Replica, node: &str, pages: Vec<Vec<ChunkDescription>>) -> InventoryTaken {
    let mut inventory = replica.service.begin_inventory(node.to_owned()).await.unwrap();
    for page in pages {
        inventory.take(page).await.unwrap();
    }
    inventory.finish().await.unwrap().value
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_while_the_disks_are_walked_is_not_missing() {
    let replica = Replica::start().await;
    scene(&replica).await;
    let mut inventory = replica.service.begin_inventory("a".to_owned()).await.unwrap();
    store(&replica, "y", &["a"]).await;
    inventory.take(vec![held("x")]).await.unwrap();
    let first = inventory.finish().await.unwrap().value;
    assert_eq!((first.chunks, first.missing), (1, 0));
    let next = taken(&replica, "a", vec![vec![held("x")]]).await;
    assert_eq!((next.chunks, next.missing), (1, 1), "by now it had its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_nothing_is_not_recorded() {
    let replica = Replica::start_with(|_, policy| policy.max_nodes_per_chunk = 2).await;
    let context = RequestContext::default;
    replica.register_nodes(&["a", "b"]).await;
    for (id, chunks) in [("f", &["x", "y"][..]), ("g", &["z"])] {
        let registered = replica.service.register_file(file(id, chunks), context());
        registered.await.unwrap();
        for chunk in chunks {
            store(&replica, chunk, &["a", "b"]).await;
        }
    }
    replica.register_nodes(&["c"]).await;
    replica
        .service
        .delete_file("g".to_owned(), context())
        .await
        .unwrap();
    let copies = ["a", "b"].map(|node| ("z".into(), node.into()));
    replica
        .execute(Command::DeleteCopies(DeleteCopies {
            copies: copies.to_vec(),
            unreferenced_since: Timestamp::from_millis(u64::MAX),
            time: Millis::from_seconds(60),
        }))
        .await;
    let before = replica.engine.totals().index;
    for (node, pages) in [
        // The copy of `z` is being deleted, wherever that stands.
        ("a", vec![vec![], vec![held("x"), held("y")]]),
        ("b", vec![vec![held("x"), held("y"), held("z")]]),
        // No copy too many, and nothing that bears its name by mistake.
        ("c", vec![vec![held("x"), holding("y", "other")]]),
    ] {
        let taken = taken(&replica, node, pages).await;
        assert_eq!(
            (taken.found, taken.missing, taken.quarantined),
            (0, 0, 0),
            "{node}"
        );
        assert_eq!(replica.engine.totals().index, before, "{node}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_brings_only_so_many_chunks_that_nobody_knows() {
    let replica = Replica::start_with(|limits, _| limits.max_unknown_per_inventory = 2).await;
    scene(&replica).await;
    let pages = || {
        vec![
            vec![held("u1"), held("x"), held("u2")],
            vec![held("u3"), held("u4")],
        ]
    };
    let first = taken(&replica, "a", pages()).await;
    assert_eq!((first.chunks, first.quarantined, first.left_out), (5, 2, 2));
    let next = taken(&replica, "a", pages()).await;
    assert_eq!((next.chunks, next.quarantined, next.left_out), (5, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn few_inventories_are_taken_at_a_time_and_one_of_each_node() {
    let replica = Replica::start().await;
    scene(&replica).await;
    let begin = |node: &str| replica.service.begin_inventory(node.to_owned());
    let (older, other) = (begin("a").await.unwrap(), begin("b").await.unwrap());
    let refused = begin("c").await.err();
    assert!(
        matches!(refused, Some(ServiceError::Overloaded { .. })),
        "{refused:?}"
    );
    let newer = begin("a").await.unwrap();
    older.replaced().await;
    drop((older, other));
    let third = begin("c").await.unwrap();
    assert_eq!((newer.node().as_str(), third.node().as_str()), ("a", "c"));
    newer.finish().await.unwrap();
}
