//! What operators see of tasks.

use std::time::Duration;

use zephyrfs_coordinator::service::TaskListQuery;

use super::{Scene, plain};
use crate::support::file;

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_listed_in_pages_by_node_and_state() {
    let mut scene = Scene::start().await;
    scene.replica.register_nodes(&["a"]).await;
    let chunks = ["u", "v", "w", "x", "y"];
    scene
        .replica
        .service
        .register_file(file("f", &chunks), plain())
        .await
        .unwrap();
    for chunk in chunks {
        scene.store(chunk, &["a"]).await;
    }
    scene.replica.register_nodes(&["b", "c"]).await;
    scene.repair().await;
    let all = scene.tasks("", 0).await;
    assert_eq!(all.len(), 10);
    assert_eq!(
        scene.tasks("", 3).await,
        all,
        "pages do not overlap, and leave nothing out"
    );
    assert_eq!(scene.tasks("pending", 3).await, all);
    assert!(scene.tasks("issued", 3).await.is_empty());
    scene.replica.pass(Duration::from_secs(1));
    // A node that was silent is recorded at once when it is heard from.
    scene.replica.expire("b").await;
    scene.beat("b").await;
    let issued = scene.tasks("issued", 3).await;
    assert_eq!(issued.len(), 5);
    assert!(
        issued
            .iter()
            .all(|task| task.node.as_str() == "b" && task.state == "issued")
    );
    let of_c = TaskListQuery {
        node_id: "c".to_owned(),
        ..TaskListQuery::default()
    };
    let page = scene
        .replica
        .service
        .list_tasks(of_c, plain())
        .await
        .unwrap()
        .value;
    assert!(page.items.iter().all(|task| task.node.as_str() == "c"));
    assert_eq!(page.items.len(), 5);
}
