//! The same command line forms a cluster, and forms it again.

use serde_json::json;
use zephyrfs_tests::{ClusterPlan, TestCluster};

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_is_a_cluster() {
    let mut cluster = TestCluster::start(ClusterPlan::of(1)).await;
    cluster.register_nodes(3).await;
    let rows = cluster.until_same_rows().await;
    cluster.replica_mut("a").freeze().await;
    cluster.replica_mut("a").thaw().await;
    cluster.replica_mut("a").kill().await;
    cluster.replica_mut("a").start();
    cluster.until_agreed().await;
    assert!(cluster.until_same_rows().await.count >= rows.count);
    assert_eq!(cluster.replica_mut("a").stop().await, Some(0));
    cluster.replica_mut("a").wipe();
    cluster.move_away("a");
    cluster.replica_mut("a").start();
    cluster.until_agreed().await;
    let nodes = cluster.replica("a").rest().get("/api/v1/nodes").await.body;
    assert_eq!(
        nodes["items"],
        json!([]),
        "a lone replica that lost its disk has lost all"
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_has_a_network_of_its_own() {
    let mut cluster = TestCluster::start(ClusterPlan::of(1).with_links()).await;
    cluster.links().throttle("a", 1_000);
    cluster.links().heal();
    assert_eq!(cluster.links().vanished(), 0);
    assert_eq!(cluster.replica_mut("a").stop().await, Some(0));
    cluster.move_away("a");
    cluster.replica_mut("a").start();
    cluster.until_agreed().await;
    cluster.end().await;
}
