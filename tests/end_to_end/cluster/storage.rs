//! Storage nodes are lost, one by one, by the zone, and by the dozen; the leader is lost meanwhile. What they held is made
//! whole again, and nobody is ever told to drop what is needed.

use std::time::Duration;

use zephyrfs_tests::{ClusterPlan, Rest, StorageNodes, TestCluster, until_told};

/// A client waits a little longer than the coordinator does.
const PATIENCE: Duration = Duration::from_secs(8);

fn plan() -> ClusterPlan {
    ClusterPlan::of(3)
        .with_patient_followers()
        .set("coordinator.heartbeat_interval", "200ms")
        .set("coordinator.heartbeat_flush", "100ms")
        .set("coordinator.node_inactive_after", "5s")
        .set("coordinator.node_timeout", "1s")
        .set("coordinator.repair_delay", "1s")
        .set("coordinator.repair_delay_few", "1s")
        .set("coordinator.repair_delay_last", "1s")
        .set("coordinator.gc_grace", "1s")
        .set("coordinator.trim_after", "2s")
        .set("limits.request_timeout", "5s")
}

fn apis(cluster: &TestCluster) -> Vec<Rest> {
    cluster.apis(PATIENCE).into_iter().map(|(_, api)| api).collect()
}

/// A dozen nodes in four zones, and twenty files of five chunks.
async fn stored(cluster: &TestCluster) -> StorageNodes {
    let apis = apis(cluster);
    let nodes = StorageNodes::start(apis.clone(), 12, 4, 3).await;
    for number in 0..20 {
        nodes.put_file(&apis, &format!("f{number}"), 5).await;
    }
    nodes
}

async fn until_whole(nodes: &StorageNodes, why: &str) {
    until_told(why, async || nodes.check_whole()).await;
}

async fn status(cluster: &TestCluster, node: &str) -> String {
    let answer = apis(cluster)[0].get(&format!("/api/v1/nodes/{node}")).await;
    answer.body["status"].as_str().unwrap_or_default().to_owned()
}

async fn until_silent(cluster: &TestCluster, node: &str) {
    until_told("the node is found silent", async || {
        let status = status(cluster, node).await;
        if status == "inactive" { Ok(()) } else { Err(status) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lost_nodes_held_is_made_whole_whoever_leads() {
    let mut cluster = TestCluster::start(plan()).await;
    let nodes = stored(&cluster).await;
    until_whole(&nodes, "clients brought everything").await;

    for node in ["s00", "s01"] {
        nodes.set_alive(&[node.to_owned()], false);
        until_silent(&cluster, node).await;
        until_whole(&nodes, "what one node held is copied").await;
    }
    // Zone z2: a quarter of the nodes, and two tenths of those that are left are less than the brake takes.
    let zone = nodes.of_zone("z2");
    nodes.set_alive(&zone[..2], false);
    until_silent(&cluster, &zone[1]).await;
    let leader = cluster.until_leader().await;
    cluster.replica_mut(&leader).kill().await;
    cluster.until_leader_among(&cluster.others(&leader)).await;
    until_whole(&nodes, "what the zone held is copied, by the next leader").await;
    cluster.replica_mut(&leader).start();
    cluster.until_agreed().await;

    nodes.set_alive(&["s00".to_owned(), "s01".to_owned()], true);
    nodes.set_alive(&zone, true);
    let apis = apis(&cluster);
    until_told("the copies that are too many are dropped", async || {
        let tasks = apis[0].get("/api/v1/tasks").await.body;
        let is_idle = tasks["items"].as_array().is_some_and(Vec::is_empty);
        let held: usize = nodes.alive().iter().map(|node| nodes.held_by(node)).sum();
        if is_idle && held == 300 {
            Ok(())
        } else {
            Err(format!("{held} copies; {tasks}"))
        }
    })
    .await;
    until_whole(&nodes, "and no more than these").await;

    let drained = apis[1]
        .post("/api/v1/nodes/s05/drain", &serde_json::json!({}))
        .await;
    assert_eq!(drained.status, 200, "{drained:?}");
    until_told("the drained node is empty", async || {
        let held = nodes.held_by("s05");
        if held == 0 {
            Ok(())
        } else {
            Err(format!("{held} copies are left"))
        }
    })
    .await;
    until_whole(&nodes, "what was drained is elsewhere").await;

    for number in 0..10 {
        nodes.delete_file(&apis, &format!("f{number}")).await;
    }
    until_told("what deleted files held is gone", async || nodes.check_tidy()).await;
    until_whole(&nodes, "the other files are as they were").await;
    assert_eq!(nodes.wrongs(), Vec::<String>::new());
    drop(nodes);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_copied_while_very_many_nodes_are_silent() {
    let cluster = TestCluster::start(plan()).await;
    let nodes = stored(&cluster).await;
    until_whole(&nodes, "clients brought everything").await;
    let before = nodes.copies_made();
    let silent: Vec<String> = nodes.alive().into_iter().take(7).collect();
    nodes.set_alive(&silent, false);
    for node in &silent {
        until_silent(&cluster, node).await;
    }
    // The leader has looked at all chunks several times when this has passed; there is nothing else to wait for.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(nodes.copies_made(), before);
    let tasks = apis(&cluster)[0].get("/api/v1/tasks").await.body;
    assert_eq!(tasks["items"], serde_json::json!([]), "nobody is told anything");

    nodes.set_alive(&silent, true);
    until_whole(&nodes, "they are back").await;
    nodes.set_alive(&silent[..1], false);
    until_silent(&cluster, &silent[0]).await;
    until_whole(&nodes, "repair goes on").await;
    assert!(nodes.copies_made() > before);
    assert_eq!(nodes.wrongs(), Vec::<String>::new());
    drop(nodes);
    cluster.end_with_alarm("Repair stopped").await;
}
