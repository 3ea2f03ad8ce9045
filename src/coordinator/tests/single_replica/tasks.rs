//! What nodes are told to do, from the moment it is needed until they say that they did it.

use std::time::Duration;

use serde_json::Value;
use zephyrfs_coordinator::service::{
    ChunkLocation, FileRegistration, HeartbeatReport, LocationUpdate, LocationsQuery, NodeRemoval,
    NodeStateRequest, PageQuery, Policy, Repair, RequestContext, TaskDetails, TaskListQuery,
};

use crate::support::{Replica, file};

fn plain() -> RequestContext {
    RequestContext::default()
}

/// A replica whose time and repair only the test moves.
struct Scene {
    replica: Replica,
    repair: Repair,
}

impl Scene {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Policy)) -> Self {
        let replica = Replica::start_with(|_, policy| {
            policy.heartbeat_flush = Duration::from_secs(3_600);
            change(policy);
        });
        Self {
            replica: replica.await,
            repair: Repair::default(),
        }
    }

    /// Looks at everything. The picture of the nodes must be a new one, so it is asked until it is.
    async fn repair(&mut self) {
        for _ in 0..2 {
            self.replica.service.repair(&mut self.repair).await.unwrap();
        }
    }

    /// The tasks that a node gets in answer to a heartbeat.
    async fn beat(&self, node: &str) -> Vec<Value> {
        let report = HeartbeatReport {
            node_id: node.to_owned(),
            stats: None,
        };
        let tasks = self
            .replica
            .service
            .heartbeat(report, plain())
            .await
            .unwrap()
            .value;
        tasks
            .iter()
            .map(|task| serde_json::from_str(task).unwrap())
            .collect()
    }

    async fn report(&self, operation: &str, chunk: &str, node: &str) -> Result<(), String> {
        let update = LocationUpdate {
            chunk_id: chunk.to_owned(),
            node_ids: vec![node.to_owned()],
            operation: operation.to_owned(),
        };
        let result = self.replica.service.update_chunk_locations(update, plain()).await;
        result.map(drop).map_err(|error| error.to_string())
    }

    async fn store(&self, chunk: &str, nodes: &[&str]) {
        for node in nodes {
            self.report("add", chunk, node).await.unwrap();
        }
    }

    async fn locations(&self, chunk: &str) -> Vec<String> {
        let query = LocationsQuery {
            chunk_id: chunk.to_owned(),
            preferred_count: 0,
        };
        let found = self
            .replica
            .service
            .find_chunk_locations(query, plain())
            .await
            .unwrap();
        let mut nodes: Vec<String> = found
            .value
            .into_iter()
            .map(|ChunkLocation { node, .. }| node.into())
            .collect();
        nodes.sort();
        nodes
    }

    async fn unregister(&self, node: &str) {
        let removal = NodeRemoval {
            node_id: node.to_owned(),
            reason: "sold".to_owned(),
        };
        self.replica
            .service
            .unregister_node(removal, plain())
            .await
            .unwrap();
    }

    async fn tasks(&self, state: &str, limit: i64) -> Vec<TaskDetails> {
        let mut tasks = Vec::new();
        let mut token = String::new();
        loop {
            let query = TaskListQuery {
                node_id: String::new(),
                state: state.to_owned(),
                page: PageQuery { limit, token },
            };
            let page = self
                .replica
                .service
                .list_tasks(query, plain())
                .await
                .unwrap()
                .value;
            tasks.extend(page.items);
            match page.next_page_token {
                Some(next) => token = next,
                None => return tasks,
            }
        }
    }
}

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
    scene.replica.register_nodes(&["e"]).await;
    scene.repair().await;
    let [task] = scene.tasks("", 0).await.try_into().unwrap();
    assert!(!placed.contains(&task.node.as_str()));
}

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
    scene.replica.register_nodes(&["d"]).await;
    scene.repair().await;
    let [other] = scene.tasks("", 0).await.try_into().unwrap();
    assert_eq!(other.node.as_str(), "d");
    assert_eq!(scene.locations("x").await, ["a", "b", "d"]);
}

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
    let drain = NodeStateRequest::Drain;
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

/// A file of so many chunks, each with a name of its own.
fn large(id: &str, count: usize) -> FileRegistration {
    let names: Vec<_> = (0..count).map(|number| format!("{id}-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    file(id, &names)
}

/// How many copies and how many deletions nodes are told.
async fn told(scene: &Scene) -> (usize, usize) {
    let tasks = scene.tasks("", 1_000).await;
    let copies = tasks.iter().filter(|task| task.kind == "replicate").count();
    (copies, tasks.len() - copies)
}

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
