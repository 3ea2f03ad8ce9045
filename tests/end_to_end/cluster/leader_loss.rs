//! The leader is lost under load, in every way a process can be lost.

use std::time::Duration;

use zephyrfs_tests::{ClusterPlan, Load, TestCluster, longest_gap};

use super::files::assert_all_registered;

/// The deadline of every request.
const DEADLINE: &str = "5s";

/// A client waits a little longer than the coordinator does.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is measured is printed; this only catches what is out of all proportion, on any machine.
const LONGEST_GAP: Duration = Duration::from_secs(10);

enum Loss {
    Kill,
    Freeze,
    Stop,
}

async fn lose_the_leader(loss: Loss, words: &str) {
    let plan = ClusterPlan::of(3).set("limits.request_timeout", DEADLINE);
    let mut cluster = TestCluster::start(plan).await;
    cluster.register_nodes(4).await;
    let load = Load::start("f", &cluster.apis(PATIENCE), 2);
    load.until_acknowledged(20, &cluster.names()).await;
    let leader = cluster.until_leader().await;
    let term = cluster.replica(&leader).status().await.unwrap().term;
    let survivors = cluster.others(&leader);
    let lost_at = load.now();
    let lost = cluster.replica_mut(&leader);
    match loss {
        Loss::Kill => lost.kill().await,
        Loss::Freeze => lost.freeze().await,
        Loss::Stop => assert_eq!(lost.stop().await, Some(0)),
    }
    let next = cluster.until_leader_among(&survivors).await;
    assert!(
        cluster.replica(&next).status().await.unwrap().term > term,
        "nobody was elected"
    );
    load.until_acknowledged(20, &survivors).await;
    let lost = cluster.replica_mut(&leader);
    match loss {
        Loss::Freeze => lost.thaw().await,
        Loss::Kill | Loss::Stop => lost.start(),
    }
    cluster.until_agreed().await;
    load.until_acknowledged(5, &cluster.names()).await;
    let attempts = load.stop().await;

    let gap = longest_gap(&attempts, lost_at);
    #[allow(
        clippy::print_stdout,
        reason = "a figure for whoever looks; only a generous limit is asserted"
    )]
    {
        println!("the leader {words}: no write was acknowledged for {gap:.2?}");
    }
    assert!(gap < LONGEST_GAP, "no write was acknowledged for {gap:?}");
    let failed = attempts
        .iter()
        .find(|attempt| survivors.contains(&attempt.replica) && !attempt.is_acknowledged());
    assert!(failed.is_none(), "a request to a survivor failed: {failed:?}");
    let acknowledged: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.is_acknowledged())
        .collect();
    let files: Vec<_> = acknowledged
        .into_iter()
        .map(|attempt| attempt.file.clone())
        .collect();
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_costs_no_acknowledged_write_and_no_request_to_others() {
    lose_the_leader(Loss::Kill, "was killed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_leader_costs_no_acknowledged_write_and_no_request_to_others() {
    lose_the_leader(Loss::Freeze, "stood still").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_stopped_costs_no_acknowledged_write_and_no_request_to_others() {
    lose_the_leader(Loss::Stop, "was stopped").await;
}
