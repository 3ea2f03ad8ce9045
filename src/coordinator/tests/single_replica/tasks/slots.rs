//! How much nodes are told at a time, and who comes first.

use std::collections::BTreeMap;
use std::time::Duration;

use zephyrfs_coordinator::service::{NodeStateRequest, TaskDetails};
use zephyrfs_core::Command;
use zephyrfs_core::command::{HeldChunk, RecordInventory};
use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::{ByteSize, Millis};

use super::{Scene, large, plain, told};
use crate::support::file;

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_ever_brought_does_not_hold_up_the_last_copies() {
    let mut scene = Scene::start_with(|policy| policy.replication_factor = 2).await;
    scene.replica.register_nodes(&["a", "b"]).await;
    let ghost = scene
        .replica
        .service
        .register_file(large("ghost", 1_500), plain());
    ghost.await.unwrap();
    scene
        .replica
        .service
        .register_file(large("live", 50), plain())
        .await
        .unwrap();
    for number in 0..50 {
        scene.store(&format!("live-{number}"), &["a", "b"]).await;
    }
    scene.unregister("b").await;
    scene.replica.register_nodes(&["c"]).await;
    scene.repair().await;
    let tasks = scene.tasks("", 1_000).await;
    let live = tasks
        .iter()
        .filter(|task| task.chunk.as_str().starts_with("live"))
        .count();
    assert_eq!(live, 50, "{} tasks in all", tasks.len());
    assert!(tasks.len() > live, "and what was not confirmed is not forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_leave_room_for_copies_and_a_node_that_does_none_does_not_hold_up_others() {
    let mut scene = Scene::start_with(|policy| {
        policy.gc_grace = Duration::ZERO;
        policy.replication_factor = 2;
    })
    .await;
    scene.replica.register_nodes(&["a", "b"]).await;
    scene
        .replica
        .service
        .register_file(large("old", 300), plain())
        .await
        .unwrap();
    scene
        .replica
        .service
        .register_file(large("live", 20), plain())
        .await
        .unwrap();
    for number in 0..20 {
        scene.store(&format!("live-{number}"), &["a", "b"]).await;
    }
    scene
        .replica
        .service
        .delete_file("old".to_owned(), plain())
        .await
        .unwrap();
    scene.replica.pass(Duration::from_millis(1));
    scene.replica.register_nodes(&["c"]).await;
    scene.repair().await;
    assert_eq!(told(&scene).await, (0, 200), "a hundred for each");
    scene.unregister("a").await;
    scene.repair().await;
    assert_eq!(told(&scene).await, (20, 200));
    // "b" does what it is told, and is told more, whatever "a" may be up to.
    let mut done = 0;
    while done < 300 {
        let tasks = scene.beat("b").await;
        for task in &tasks {
            scene
                .report("remove", task["chunk_id"].as_str().unwrap(), "b")
                .await
                .unwrap();
        }
        assert!(!tasks.is_empty(), "{done} are done");
        done += tasks.len();
        scene.replica.register_nodes(&["d"]).await;
        scene.repair().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_promises_only_what_nodes_are_told() {
    let mut scene = Scene::start_with(|policy| policy.replication_factor = 2).await;
    scene.replica.register_nodes(&["a", "b"]).await;
    let mut many = large("f", 900);
    for chunk in &mut many.chunks {
        chunk.size = 300_000;
    }
    many.file_size = 900 * 300_000;
    scene.replica.service.register_file(many, plain()).await.unwrap();
    for number in 0..900 {
        scene.store(&format!("f-{number}"), &["a", "b"]).await;
    }
    scene.unregister("b").await;
    scene.replica.register_nodes(&["c"]).await;
    for _ in 0..20 {
        scene.repair().await;
    }
    let small = scene
        .replica
        .service
        .register_file(file("small", &["s"]), plain())
        .await;
    let placed = small.unwrap().value.placements;
    assert_eq!(placed[0].nodes.len(), 2, "the nodes look full: {placed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_named_before_any_number_of_deletions() {
    let mut scene = Scene::start_with(|policy| policy.replication_factor = 1).await;
    scene.replica.register_nodes(&["a"]).await;
    let first = scene.replica.service.register_file(large("big", 400), plain());
    first.await.unwrap();
    // Other content under the same ids, where the old cannot be overwritten.
    let service = &scene.replica.service;
    let drain = NodeStateRequest::Drain { force: false };
    service
        .set_node_state("a".to_owned(), drain, plain())
        .await
        .unwrap();
    scene.replica.register_nodes(&["b"]).await;
    let mut other = large("big", 400);
    for chunk in &mut other.chunks {
        chunk.hash = "other".to_owned();
    }
    other.file_hash = "other".to_owned();
    let service = &scene.replica.service;
    service.register_file(other, plain()).await.unwrap();
    assert_eq!(told(&scene).await, (0, 400));
    // Sorts behind them all.
    service.register_file(file("z", &["zz"]), plain()).await.unwrap();
    scene.store("zz", &["b"]).await;
    let active = NodeStateRequest::Activate;
    service
        .set_node_state("a".to_owned(), active, plain())
        .await
        .unwrap();
    let drain = NodeStateRequest::Drain { force: false };
    service
        .set_node_state("b".to_owned(), drain, plain())
        .await
        .unwrap();
    scene.repair().await;
    let tasks = scene.beat("a").await;
    assert_eq!(tasks.len(), 300);
    assert_eq!(
        (&tasks[0]["type"], &tasks[0]["chunk_id"]),
        (&"replicate".into(), &"zz".into())
    );
}

/// So many chunks, of which two nodes of three say that they store them.
async fn two_of_three(scene: &Scene, id: &str, count: usize) {
    let registered = scene.replica.service.register_file(large(id, count), plain());
    let mut held: BTreeMap<NodeId, Vec<HeldChunk>> = BTreeMap::new();
    for placement in registered.await.unwrap().value.placements {
        assert_eq!(placement.nodes.len(), 3);
        for node in &placement.nodes[1..] {
            held.entry(node.clone()).or_default().push(HeldChunk {
                chunk: placement.chunk.clone(),
                hash: format!("hash of {}", placement.chunk).as_str().into(),
                size: ByteSize::new(1_000),
            });
        }
    }
    for (node, held) in held {
        let inventory = RecordInventory {
            node,
            held,
            missing: Vec::new(),
            quarantine: Millis::from_seconds(60),
            max_replicas: 10,
        };
        scene.replica.execute(Command::RecordInventory(inventory)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_urgent_keeps_to_a_window_and_last_copies_do_not() {
    let mut scene = Scene::start().await;
    let nodes: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    scene.replica.register_nodes(&nodes).await;
    for file in ["a", "b", "c", "d"] {
        two_of_three(&scene, file, 1_000).await;
    }
    let last = scene.replica.service.register_file(large("last", 100), plain());
    for placement in last.await.unwrap().value.placements {
        scene
            .store(placement.chunk.as_str(), &[placement.nodes[0].as_str()])
            .await;
    }
    scene.replica.pass(Duration::from_secs(3_600));
    scene.replica.register_nodes(&nodes).await;
    let mut rounds = 0;
    loop {
        scene.repair().await;
        let status = scene.replica.service.repair_status(plain()).await.unwrap().value;
        if status.report.is_some_and(|report| report.last_pass.is_some()) {
            break;
        }
        rounds += 1;
        assert!(rounds < 1_000, "a pass over 4,100 chunks never ended");
    }
    let tasks = scene.tasks("", 1_000).await;
    let is_last = |task: &&TaskDetails| task.chunk.as_str().starts_with("last");
    let last = tasks.iter().filter(is_last).count();
    assert_eq!(last, 200, "two copies of each");
    // 80 % of the window, which begins with 2,000 and may have been fitted once meanwhile.
    let others = tasks.len() - last;
    assert!((1_100..=2_000).contains(&others), "{others} of 4,000");
}
