//! A replica that is too far behind for the log, and is killed over and over while it takes in a snapshot.

use std::time::Duration;

use zephyrfs_tests::{ClusterPlan, Load, TestCluster, until};

use super::files::{assert_all_registered, register};

const PATIENCE: Duration = Duration::from_secs(15);

/// How long after its start the replica is killed, each time: before, while and after it takes in a snapshot.
const MOMENTS: [u64; 10] = [40, 60, 80, 100, 120, 140, 170, 200, 250, 400];

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_killed_while_it_takes_in_snapshots_ends_up_with_the_same_rows() {
    let plan = ClusterPlan::of(3)
        .set("raft.snapshot_every", "20")
        .set("raft.keep_entries", "0");
    let mut cluster = TestCluster::start(plan).await;
    cluster.register_nodes(4).await;
    let leader = cluster.until_leader().await;
    let behind = cluster.others(&leader)[0].clone();
    cluster.replica_mut(&behind).kill().await;
    let load = Load::start("before", &cluster.apis(PATIENCE), 4);
    load.until_acknowledged(400, std::slice::from_ref(&leader)).await;
    let attempts = load.stop().await;
    let acknowledged = attempts.into_iter().filter(|attempt| attempt.is_acknowledged());
    let mut files: Vec<String> = acknowledged.map(|attempt| attempt.file).collect();

    for (round, moment) in MOMENTS.into_iter().enumerate() {
        cluster.replica_mut(&behind).start();
        // Whatever it is doing by then: nothing that follows depends on it.
        tokio::time::sleep(Duration::from_millis(moment)).await;
        cluster.replica_mut(&behind).kill().await;
        // So many that the log begins after what it has, even if it has taken in all there was.
        for number in 0..25 {
            files.push(format!("round-{round}-{number}"));
            register(cluster.replica(&leader).rest(), files.last().unwrap()).await;
        }
    }
    cluster.replica_mut(&behind).start();
    cluster.until_agreed().await;
    until("a snapshot was sent to it", async || {
        let sent = cluster
            .replicas()
            .iter()
            .flat_map(|replica| replica.events("A replica has installed a snapshot"));
        sent.into_iter()
            .any(|event| event["replica"] == *behind)
            .then_some(())
    })
    .await;
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}
