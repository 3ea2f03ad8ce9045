//! The same command line forms a cluster, and forms it again.

use serde_json::json;
use zephyrfs_tests::{ClusterPlan, TestCluster, until_told};

use super::files::{assert_present, file, register};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_has_not_found_the_others_answers_all_the_same_and_says_so() {
    let plan = ClusterPlan::of(3).set("limits.request_timeout", "1s");
    let mut cluster = TestCluster::prepare(plan).await;
    cluster.replica_mut("a").start();
    let alone = cluster.replica("a");
    let waiting = until_told("the replica says that the others do not answer", async || {
        let health = alone.place().health().send("GET", "/ready", None).await;
        let health = health.map_err(|error| error.to_string())?;
        let reason = health.body.to_string();
        if health.status == 503 && reason.contains("not every peer answers") {
            Ok(reason)
        } else {
            Err(format!("{health:?}"))
        }
    });
    let waiting = waiting.await;
    assert!(waiting.contains("all take connections"), "{waiting}");
    assert_eq!(alone.probe("/live").await, Some(200));
    let written = alone.rest().post("/api/v1/files/register", &file("early")).await;
    let read = alone.rest().get("/api/v1/nodes").await;
    let local = alone.rest().get("/api/v1/nodes?consistency=local").await;
    for refused in [written, read, local] {
        assert_eq!(refused.status, 503, "{refused:?}");
    }
    for name in ["b", "c"] {
        cluster.replica_mut(name).start();
    }
    cluster.until_agreed().await;
    let files = cluster.replica("a").rest().get("/api/v1/files").await;
    assert_eq!(
        files.body["items"],
        json!([]),
        "what was refused must not be there"
    );
    cluster.end().await;
}
