//! Copies that are missing, from the moment they are until they are there.

use std::time::Duration;

use zephyrfs_coordinator::service::NodeStateRequest;

use super::{Scene, plain};
use crate::support::file;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_found_too_few_nodes_gets_the_rest_when_they_come() {
    let mut scene = Scene::start().await;
    scene.replica.register_nodes(&["a"]).await;
    scene
        .replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    scene.store("x", &["a"]).await;
    scene.repair().await;
    assert!(scene.tasks("", 0).await.is_empty(), "there is nobody to tell");
    scene.replica.register_nodes(&["b", "c", "d"]).await;
    scene.repair().await;
    let told = scene.tasks("", 0).await;
    assert_eq!(told.len(), 2);
    for task in &told {
        let node = task.node.as_str();
        let handed = scene.beat(node).await;
        let [task] = handed.as_slice() else {
            panic!("{handed:?}")
        };
        assert_eq!(task["type"], "replicate");
        assert_eq!(task["chunk_id"], "x");
        let source = serde_json::json!({"node_id": "a", "address": "a:9000"});
        assert!(task["sources"].as_array().unwrap().contains(&source), "{task}");
        assert_eq!(task["id"].as_str().unwrap().len(), 32);
        assert!(task["deadline"].as_i64().unwrap() > 1_700_000_000);
        assert_eq!(
            scene.beat(node).await,
            handed,
            "until it is done it is handed out again"
        );
        scene.store("x", &[node]).await;
        assert!(scene.beat(node).await.is_empty());
    }
    assert_eq!(scene.locations("x").await.len(), 3);
    scene.repair().await;
    assert!(scene.tasks("", 0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chunks_of_an_unregistered_node_are_moved_elsewhere() {
    let mut scene = Scene::start().await;
    scene.replica.register_nodes(&["a", "b", "c"]).await;
    scene
        .replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    scene.store("x", &["a", "b", "c"]).await;
    scene.replica.register_nodes(&["d"]).await;
    scene.repair().await;
    assert!(scene.tasks("", 0).await.is_empty());
    scene.unregister("b").await;
    scene.repair().await;
    let [task] = scene.beat("d").await.try_into().unwrap();
    let mut sources: Vec<_> = task["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| &source["node_id"])
        .collect();
    sources.sort_by_key(|source| source.to_string());
    assert_eq!(sources, ["a", "c"]);
    scene.store("x", &["d"]).await;
    assert_eq!(scene.locations("x").await, ["a", "c", "d"]);
    scene.replica.register_nodes(&["e"]).await;
    scene.repair().await;
    let chunk = scene
        .replica
        .service
        .chunk("x".to_owned(), plain())
        .await
        .unwrap()
        .value;
    assert_eq!(
        chunk.chunk.replicas.len(),
        3,
        "the lost copy is forgotten: {chunk:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_is_waited_for_and_then_replaced() {
    let mut scene = Scene::start_with(|policy| policy.repair_delay = Duration::from_secs(600)).await;
    scene.replica.register_nodes(&["a", "b", "c", "d"]).await;
    scene
        .replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    let placed = scene.locations("x").await;
    let placed: Vec<&str> = placed.iter().map(String::as_str).collect();
    scene.store("x", &placed).await;
    scene.replica.expire(placed[0]).await;
    scene.replica.pass(Duration::from_secs(599));
    scene.repair().await;
    assert!(scene.tasks("", 0).await.is_empty(), "it is expected back");
    scene.replica.pass(Duration::from_secs(1));
    // The walk rests between passes; a node that comes ends the rest.
    let others = ["a", "b", "c", "d", "e"]
        .into_iter()
        .filter(|node| *node != placed[0]);
    let others: Vec<&str> = others.collect();
    scene.replica.register_nodes(&others).await;
    scene.repair().await;
    let [task] = scene.tasks("", 0).await.try_into().unwrap();
    assert!(!placed.contains(&task.node.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_not_done_goes_to_another_node_in_the_end() {
    let mut scene = Scene::start().await;
    scene.replica.register_nodes(&["a", "b"]).await;
    scene
        .replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    scene.store("x", &["a", "b"]).await;
    scene.replica.register_nodes(&["c"]).await;
    scene.repair().await;
    let [first] = scene.tasks("", 0).await.try_into().unwrap();
    assert_eq!(
        (first.node.as_str(), first.attempt, first.state),
        ("c", 1, "pending")
    );
    scene.replica.pass(Duration::from_secs(40));
    scene.repair().await;
    let [second] = scene.tasks("", 0).await.try_into().unwrap();
    assert_eq!((second.id, second.attempt), (first.id, 2));
    scene.replica.expire("c").await;
    scene.replica.pass(Duration::from_secs(80));
    scene.replica.register_nodes(&["a", "b", "d"]).await;
    scene.repair().await;
    let [other] = scene.tasks("", 0).await.try_into().unwrap();
    assert_eq!(other.node.as_str(), "d");
    assert_eq!(scene.locations("x").await, ["a", "b", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_nodes_chunks_are_copied_while_it_still_serves_them() {
    let mut scene = Scene::start().await;
    scene.replica.register_nodes(&["a", "b", "c", "d"]).await;
    scene
        .replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    let placed = scene.locations("x").await;
    for node in &placed {
        scene.store("x", &[node]).await;
    }
    let drain = NodeStateRequest::Drain { force: false };
    let drained = scene
        .replica
        .service
        .set_node_state(placed[0].clone(), drain, plain());
    drained.await.unwrap();
    scene.repair().await;
    let [task] = scene.tasks("", 0).await.try_into().unwrap();
    assert_eq!(task.reason, "a node with a copy is draining");
    assert!(scene.locations("x").await.contains(&placed[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_time_without_a_leader_nodes_are_heard_before_any_counts_as_lost() {
    let mut scene = Scene::start_with(|policy| {
        policy.repair_delay = Duration::from_secs(60);
        policy.heartbeat_interval = Duration::from_secs(10);
        policy.heartbeat_flush = Duration::from_secs(1);
    })
    .await;
    scene.replica.register_nodes(&["a", "b", "c", "d"]).await;
    let registered = scene.replica.service.register_file(file("f", &["x"]), plain());
    registered.await.unwrap();
    let placed = scene.locations("x").await;
    let placed: Vec<&str> = placed.iter().map(String::as_str).collect();
    scene.store("x", &placed).await;
    scene.replica.expire(placed[0]).await;
    scene.replica.pass(Duration::from_secs(3_600));
    scene.repair_after(Duration::ZERO).await;
    let others: Vec<&str> = ["a", "b", "c", "d"]
        .into_iter()
        .filter(|node| *node != placed[0])
        .collect();
    scene.replica.register_nodes(&others).await;
    scene.repair_after(Duration::from_secs(20)).await;
    assert!(scene.tasks("", 0).await.is_empty(), "the silent one may be back");
    scene.repair_after(Duration::from_secs(21)).await;
    assert_eq!(scene.tasks("", 0).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_too_many_is_kept_when_the_others_are_not_heard_any_more() {
    let mut scene = Scene::start_with(|policy| policy.trim_after = Duration::ZERO).await;
    let nodes = ["a", "b", "c", "d"];
    scene.replica.register_nodes(&nodes).await;
    let registered = scene.replica.service.register_file(file("f", &["x"]), plain());
    registered.await.unwrap();
    scene.store("x", &nodes).await;
    scene.replica.register_nodes(&["e"]).await;
    scene.repair().await;
    let [task] = scene.tasks("", 0).await.try_into().unwrap();
    assert_eq!(
        (task.kind, task.reason.as_str()),
        ("delete", "more copies than wanted")
    );
    let node = task.node.as_str();
    assert_eq!(scene.beat(node).await.len(), 1, "three others are there");
    scene.replica.pass(Duration::from_secs(3_600));
    // A new picture of the nodes is taken when one comes.
    scene.replica.register_nodes(&["g"]).await;
    assert!(scene.beat(node).await.is_empty(), "nobody else was heard from");
    let others: Vec<&str> = nodes.into_iter().filter(|other| *other != node).collect();
    scene.replica.register_nodes(&others).await;
    assert_eq!(scene.beat(node).await.len(), 1);
}
