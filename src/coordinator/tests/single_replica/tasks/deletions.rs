//! Copies that nobody needs any more.

use std::time::Duration;

use super::{Scene, plain, told};
use crate::support::file;

#[tokio::test(flavor = "multi_thread")]
async fn the_copies_of_a_deleted_file_are_deleted_after_the_grace_period() {
    let grace = Duration::from_secs(3_600);
    let mut scene = Scene::start_with(|policy| policy.gc_grace = grace).await;
    scene.replica.register_nodes(&["a", "b", "c"]).await;
    scene
        .replica
        .service
        .register_file(file("f", &["x"]), plain())
        .await
        .unwrap();
    scene.store("x", &["a", "b", "c"]).await;
    scene
        .replica
        .service
        .delete_file("f".to_owned(), plain())
        .await
        .unwrap();
    scene.repair().await;
    assert!(scene.beat("a").await.is_empty(), "it is kept for a while");
    scene.replica.pass(grace + Duration::from_millis(1));
    scene.replica.register_nodes(&["d"]).await;
    scene.repair().await;
    let [task] = scene.beat("a").await.try_into().unwrap();
    assert_eq!(
        (&task["type"], &task["sources"]),
        (&"delete".into(), &serde_json::json!([]))
    );
    let refused = scene.report("add", "x", "a").await.unwrap_err();
    assert!(refused.contains("is to delete its copy"), "{refused}");
    for node in ["a", "b", "c"] {
        assert_eq!(scene.beat(node).await.len(), 1);
        scene.report("remove", "x", node).await.unwrap();
        assert!(scene.beat(node).await.is_empty());
    }
    let gone = scene.report("remove", "x", "a").await.unwrap_err();
    assert!(gone.contains("not known"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_to_drop_old_copies_are_passed_over_for_new_ones() {
    let mut scene = Scene::start_with(|policy| policy.gc_grace = Duration::ZERO).await;
    scene.replica.register_nodes(&["a", "b", "c"]).await;
    let names: Vec<_> = (0..50).map(|number| format!("x{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    scene
        .replica
        .service
        .register_file(file("f", &names), plain())
        .await
        .unwrap();
    scene
        .replica
        .service
        .delete_file("f".to_owned(), plain())
        .await
        .unwrap();
    scene.replica.pass(Duration::from_millis(1));
    scene.replica.register_nodes(&["d", "e", "f"]).await;
    scene.repair().await;
    assert_eq!(told(&scene).await, (0, 150));
    let again = scene
        .replica
        .service
        .register_file(file("g", &names), plain())
        .await
        .unwrap();
    for placement in again.value.placements {
        let mut nodes = placement.nodes;
        nodes.sort();
        assert_eq!(nodes, ["d".into(), "e".into(), "f".into()]);
    }
}
