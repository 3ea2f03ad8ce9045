//! The same command line forms a cluster, and forms it again.

use serde_json::json;
use zephyrfs_tests::{ClusterPlan, TestCluster};

use super::files::{assert_present, register};

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_is_a_cluster_of_its_own() {
    let mut cluster = TestCluster::start(ClusterPlan::of(1)).await;
    cluster.register_nodes(3).await;
    let rows = cluster.until_same_rows().await;
    cluster.replica_mut("a").kill().await;
    cluster.replica_mut("a").start();
    cluster.until_agreed().await;
    assert!(cluster.until_same_rows().await.count >= rows.count);
    assert_eq!(cluster.replica_mut("a").stop().await, Some(0));
    cluster.replica_mut("a").wipe();
    cluster.replica_mut("a").start();
    cluster.until_agreed().await;
    let nodes = cluster.replica("a").rest().get("/api/v1/nodes").await.body;
    assert_eq!(
        nodes["items"],
        json!([]),
        "alone, whoever lost its disk has lost all"
    );
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_take_any_request_at_any_of_them_and_come_back_together() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3)).await;
    let formed = cluster.until_agreed().await;
    assert_eq!(formed.failure_tolerance, 1);
    cluster.register_nodes(4).await;
    let mut files = Vec::new();
    for round in 0..5 {
        for replica in cluster.replicas() {
            let id = format!("f-{}-{round}", replica.name());
            register(replica.rest(), &id).await;
            files.push(id);
        }
        // What one took is at once what all say.
        for replica in cluster.replicas() {
            assert_present(replica.rest(), &files, "").await;
        }
    }
    let rows = cluster.until_same_rows().await;
    for replica in cluster.replicas() {
        assert_present(replica.rest(), &files, "?consistency=local").await;
    }

    // All of them go, some in order and some not, and all come back.
    for name in cluster.names() {
        let replica = cluster.replica_mut(&name);
        if name == "b" {
            replica.kill().await;
        } else {
            assert_eq!(replica.stop().await, Some(0));
        }
    }
    for name in cluster.names() {
        cluster.replica_mut(&name).start();
    }
    let again = cluster.until_agreed().await;
    assert_eq!(again.cluster_id, formed.cluster_id);
    let ids = |status: &zephyrfs_tests::ClusterStatus| -> Vec<u64> {
        status.members.iter().map(|member| member.raft_id).collect()
    };
    assert_eq!(ids(&again), ids(&formed), "they are who they were");
    for replica in cluster.replicas() {
        assert_present(replica.rest(), &files, "").await;
    }
    assert!(cluster.until_same_rows().await.count >= rows.count);
    cluster.end().await;
}
