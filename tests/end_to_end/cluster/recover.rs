//! The way out when a quorum is lost for good.

use zephyrfs_tests::{ClusterPlan, TestCluster, until, until_told};

use super::files::{assert_all_registered, assert_present, register};

/// What the program ends with when it refuses.
const REFUSED: Option<i32> = Some(2);

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_kept_becomes_a_new_cluster_that_the_old_one_cannot_disturb() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3)).await;
    cluster.register_nodes(4).await;
    let mut files = vec!["before".to_owned()];
    register(cluster.replica("a").rest(), &files[0]).await;
    let old = cluster.until_agreed().await;
    cluster.until_same_rows().await;

    let running = cluster
        .replica("a")
        .command(&["recover", "--accept-data-loss"])
        .await;
    assert_eq!(running.code, REFUSED, "it runs: {running:?}");
    for name in cluster.names() {
        cluster.replica_mut(&name).kill().await;
    }
    // One disk is lost for good, one replica is believed to be.
    cluster.replica_mut("b").wipe();
    let empty = cluster
        .replica("b")
        .command(&["recover", "--accept-data-loss"])
        .await;
    assert_eq!(empty.code, REFUSED, "it has nothing: {empty:?}");

    let asked = cluster.replica("a").command(&["recover"]).await;
    assert_eq!(asked.code, REFUSED, "{asked:?}");
    assert!(asked.stdout.contains("left out    b, c"), "{asked:?}");
    assert!(asked.stderr.contains("--accept-data-loss"), "{asked:?}");
    let done = cluster
        .replica("a")
        .command(&["recover", "--accept-data-loss"])
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");

    cluster.replica_mut("a").start();
    assert_eq!(cluster.until_leader().await, "a");
    let status = until_told("the one that was recovered is alone", async || {
        let status = cluster.replica("a").status().await?;
        if status.members.len() == 1 {
            Ok(status)
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await;
    assert_ne!(status.cluster_id, old.cluster_id, "{status:?}");
    assert!(done.stdout.contains(&status.cluster_id), "{done:?}");
    assert_present(cluster.replica("a").rest(), &files, "").await;
    files.push("alone".to_owned());
    register(cluster.replica("a").rest(), &files[1]).await;

    // The one that was believed to be lost comes back with its old data: it is kept out, and says why.
    cluster.replica_mut("c").start();
    let health = cluster.replica("c").place().health();
    let reason = until_told(
        "the replica of the old cluster says why it is not ready",
        async || {
            let answer = health.send("GET", "/ready", None).await;
            let answer = answer.map_err(|error| error.to_string())?;
            let reason = answer.body.to_string();
            if answer.status == 503 && reason.contains("another cluster") {
                Ok(reason)
            } else {
                Err(format!("{answer:?}"))
            }
        },
    )
    .await;
    assert!(reason.contains("delete"), "it does not say what to do: {reason}");
    until("the new cluster's log tells of the old one's replica", async || {
        let told = cluster.replica("a").events(
            "A replica of another cluster answers where one of this cluster is looked for; stop whichever of them is not \
             wanted and delete its data",
        );
        (!told.is_empty()).then_some(())
    })
    .await;
    files.push("beside the old one".to_owned());
    register(cluster.replica("a").rest(), &files[2]).await;
    let status = cluster.replica("a").status().await.unwrap();
    assert_eq!(status.members.len(), 1, "{status:?}");
    assert_eq!(cluster.replica_mut("c").stop().await, Some(0));

    // With their data deleted, both join anew.
    cluster.replica_mut("c").wipe();
    for name in ["b", "c"] {
        cluster.replica_mut(name).start();
    }
    let whole = cluster.until_agreed().await;
    assert_eq!(whole.cluster_id, status.cluster_id);
    for name in ["b", "c"] {
        let id = |status: &zephyrfs_tests::ClusterStatus| status.member(name).map(|member| member.raft_id);
        assert_ne!(id(&whole), id(&old), "{name} must not be who it was");
    }
    files.push("together".to_owned());
    register(cluster.replica("c").rest(), &files[3]).await;
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}
