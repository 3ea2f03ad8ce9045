//! Without a majority nothing is acknowledged, and nothing is lost.

use zephyrfs_tests::{ClusterPlan, TestCluster, until_told};

use super::files::{assert_all_registered, assert_present, file, register};

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_survivor_refuses_stays_alive_and_serves_again_with_a_second_one() {
    let plan = ClusterPlan::of(3).set("limits.request_timeout", "2s");
    let mut cluster = TestCluster::start(plan).await;
    cluster.register_nodes(4).await;
    let mut files = vec!["before".to_owned()];
    register(cluster.replica("a").rest(), &files[0]).await;
    cluster.until_same_rows().await;
    let survivor = cluster.until_leader().await;
    for lost in cluster.others(&survivor) {
        cluster.replica_mut(&lost).kill().await;
    }

    let alone = cluster.replica(&survivor);
    until_told("the survivor says that it is not ready, and why", async || {
        let health = alone.place().health().send("GET", "/ready", None).await;
        let health = health.map_err(|error| error.to_string())?;
        if health.status == 503 && health.body.to_string().contains("not every peer answers") {
            Ok(())
        } else {
            Err(format!("{health:?}"))
        }
    })
    .await;
    assert_eq!(
        alone.probe("/live").await,
        Some(200),
        "a restart would not help it"
    );
    // The first one may be handed to a leader that is no more; the second one cannot be.
    let refused = alone.rest().post("/api/v1/files/register", &file("first")).await;
    assert!([503, 504].contains(&refused.status), "{refused:?}");
    let refused = alone
        .rest()
        .post("/api/v1/files/register", &file("refused"))
        .await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let refused = alone.rest().get("/api/v1/files/before").await;
    assert!([503, 504].contains(&refused.status), "{refused:?}");
    assert_present(alone.rest(), &files, "?consistency=local").await;
    assert_eq!(alone.probe("/live").await, Some(200));

    let second = cluster.others(&survivor)[0].clone();
    cluster.replica_mut(&second).start();
    cluster
        .until_leader_among(&[survivor.clone(), second.clone()])
        .await;
    files.push("with two".to_owned());
    register(cluster.replica(&second).rest(), &files[1]).await;
    let nobody = cluster.replica(&second).rest().get("/api/v1/files/refused").await;
    assert_eq!(
        nobody.status, 404,
        "what was refused must not be there: {nobody:?}"
    );
    let third = cluster.others(&survivor)[1].clone();
    cluster.replica_mut(&third).start();
    cluster.until_agreed().await;
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_stop_in_order_with_or_without_a_quorum() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3)).await;
    let leader = cluster.until_leader().await;
    let follower = cluster.others(&leader)[0].clone();
    assert_eq!(cluster.replica_mut(&follower).stop().await, Some(0), "a follower");
    let term = cluster.replica(&leader).status().await.unwrap().term;
    assert_eq!(cluster.replica_mut(&leader).stop().await, Some(0), "a leader");
    assert!(term > 0);
    let last = cluster.others(&leader)[1].clone();
    assert_eq!(
        cluster.replica_mut(&last).stop().await,
        Some(0),
        "one without a quorum"
    );
    cluster.end().await;
}
