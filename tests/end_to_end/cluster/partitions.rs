//! Links between replicas fail, and clients still reach all of them.

use zephyrfs_tests::{ClusterPlan, TestCluster, until, until_told};

use super::files::{assert_all_registered, file, register};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_never_answers_with_what_is_not_true_any_more() {
    let plan = ClusterPlan::of(3)
        .with_links()
        .set("limits.request_timeout", "2s");
    let mut cluster = TestCluster::start(plan).await;
    cluster.register_nodes(4).await;
    let mut files = vec!["before".to_owned()];
    register(cluster.replica("a").rest(), &files[0]).await;
    cluster.until_same_rows().await;
    let cut_off = cluster.until_leader().await;
    let others = cluster.others(&cut_off);
    cluster.links().isolate(&cut_off);

    // From now on until it is healed it is asked all the time, and may only refuse or know what is true.
    let watched = cluster.replica(&cut_off).rest().clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let (tell, mut told) = tokio::sync::watch::channel(false);
    let watcher = tokio::spawn(async move {
        let (mut refused, mut early) = (0, 0);
        while stopped.try_recv().is_err() {
            let is_written = *told.borrow_and_update();
            let answer = watched.get("/api/v1/files/after").await;
            match answer.status {
                200 => {}
                404 if is_written => panic!("a stale read: {answer:?}"),
                404 => early += 1,
                503 | 504 => refused += 1,
                _ => panic!("{answer:?}"),
            }
        }
        (refused, early)
    });
    cluster.until_leader_among(&others).await;
    files.push("after".to_owned());
    register(cluster.replica(&others[0]).rest(), "after").await;
    tell.send_replace(true);
    // The fault is real, and so is the danger: its own state is behind, which it would have answered from.
    let local = cluster
        .replica(&cut_off)
        .rest()
        .get("/api/v1/files/after?consistency=local")
        .await;
    assert_eq!(local.status, 404, "{local:?}");
    assert!(cluster.links().vanished() > 0, "nothing was cut");
    for round in 0..5 {
        let refused = cluster.replica(&cut_off).rest().get("/api/v1/files/after").await;
        assert!([503, 504].contains(&refused.status), "{refused:?}");
        files.push(format!("round {round}"));
        register(cluster.replica(&others[round % 2]).rest(), files.last().unwrap()).await;
    }
    let write = cluster
        .replica(&cut_off)
        .rest()
        .post("/api/v1/files/register", &file("cut off"))
        .await;
    assert!([503, 504].contains(&write.status), "{write:?}");
    until("the cut-off replica says that it is not ready", async || {
        (cluster.replica(&cut_off).probe("/ready").await == Some(503)).then_some(())
    })
    .await;
    assert_eq!(cluster.replica(&cut_off).probe("/live").await, Some(200));

    cluster.links().heal();
    cluster.until_agreed().await;
    stop.send(()).unwrap();
    let (refused, _) = watcher.await.unwrap();
    assert!(refused > 0, "nothing was refused");
    let answer = cluster.replica(&cut_off).rest().get("/api/v1/files/after").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_cut_off_comes_back_without_an_election() {
    let plan = ClusterPlan::of(3).with_links().with_patient_followers();
    let mut cluster = TestCluster::start(plan).await;
    cluster.register_nodes(4).await;
    let before = cluster.until_agreed().await;
    let leader = before.leader.clone().unwrap();
    let cut_off = cluster.others(&leader)[0].clone();
    cluster.links().isolate(&cut_off);
    until("the cut-off replica says that it is not ready", async || {
        (cluster.replica(&cut_off).probe("/ready").await == Some(503)).then_some(())
    })
    .await;
    // Long enough that it has wished for an election several times.
    let vanished = cluster.links().vanished();
    until("it has tried to reach the others", async || {
        (cluster.links().vanished() > vanished + 20).then_some(())
    })
    .await;
    let files = ["meanwhile".to_owned()];
    register(cluster.replica(&leader).rest(), &files[0]).await;
    cluster.links().heal();
    let after = cluster.until_agreed().await;
    assert_eq!(
        (after.leader, after.term),
        (before.leader, before.term),
        "there was an election"
    );
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_way_is_enough_to_lose_a_leader_and_not_enough_to_lose_a_write() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3).with_links()).await;
    cluster.register_nodes(4).await;
    let mut files = Vec::new();
    for round in 0..2 {
        let leader = cluster.until_leader().await;
        let others = cluster.others(&leader);
        if round == 0 {
            cluster.links().mute(&leader);
        } else {
            cluster.links().deafen(&leader);
        }
        until_told("the others elect", async || {
            let status = cluster.replica(&others[0]).status().await?;
            match &status.leader {
                Some(next) if *next != leader => Ok(()),
                _ => Err(format!("{status:?}")),
            }
        })
        .await;
        for replica in &others {
            files.push(format!("{round} at {replica}"));
            register(cluster.replica(replica).rest(), files.last().unwrap()).await;
        }
        assert!(cluster.links().vanished() > 0, "nothing was cut");
        cluster.links().heal();
        cluster.until_agreed().await;
    }
    // A link between two followers matters to nobody.
    let leader = cluster.until_leader().await;
    let others = cluster.others(&leader);
    cluster.links().refuse(&others[0], &others[1]);
    cluster.links().refuse(&others[1], &others[0]);
    for replica in cluster.names() {
        files.push(format!("refused at {replica}"));
        register(cluster.replica(&replica).rest(), files.last().unwrap()).await;
    }
    cluster.links().heal();
    cluster.until_agreed().await;
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}
