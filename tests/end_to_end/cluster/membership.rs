//! Replicas that come back as somebody else, or somewhere else.

use zephyrfs_tests::{ClusterPlan, TestCluster, until_told};

use super::files::{assert_all_registered, register};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lost_its_disk_learns_everything_and_votes_again_as_somebody_else() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3)).await;
    cluster.register_nodes(4).await;
    let mut files = vec!["before".to_owned()];
    register(cluster.replica("a").rest(), &files[0]).await;
    let leader = cluster.until_leader().await;
    let lost = cluster.others(&leader)[0].clone();
    let before = cluster.until_agreed().await.member(&lost).unwrap().raft_id;

    cluster.replica_mut(&lost).kill().await;
    cluster.replica_mut(&lost).wipe();
    files.push("meanwhile".to_owned());
    register(cluster.replica(&leader).rest(), &files[1]).await;
    cluster.replica_mut(&lost).start();
    // It learns before it votes.
    until_told("the replica without a disk is a learner", async || {
        let status = cluster.replica(&leader).status().await?;
        let is_learner =
            |member: &&zephyrfs_tests::MemberStatus| member.name == lost && member.role == "learner";
        let learner = status.members.iter().find(is_learner).cloned();
        learner.ok_or_else(|| format!("{status:?}"))
    })
    .await;
    files.push("as learner".to_owned());
    register(cluster.replica(&leader).rest(), &files[2]).await;
    let agreed = cluster.until_agreed().await;
    let after = agreed.member(&lost).unwrap().raft_id;
    assert_ne!(after, before, "an identity must never vote twice");
    assert_all_registered(&cluster, &files).await;

    // It counts: with it and one other there is a quorum.
    let third = cluster
        .others(&leader)
        .into_iter()
        .find(|name| *name != lost)
        .unwrap();
    cluster.replica_mut(&third).kill().await;
    files.push("with its vote".to_owned());
    register(cluster.replica(&lost).rest(), &files[3]).await;
    cluster.replica_mut(&third).start();
    cluster.until_agreed().await;
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}

async fn move_and_come_back(plan: ClusterPlan) {
    let mut cluster = TestCluster::start(plan).await;
    cluster.register_nodes(4).await;
    let before = cluster.until_agreed().await;
    let mut files = Vec::new();
    // A follower and the leader.
    let leader = before.leader.clone().unwrap();
    for moved in [cluster.others(&leader)[0].clone(), leader] {
        assert_eq!(cluster.replica_mut(&moved).stop().await, Some(0));
        cluster.move_away(&moved);
        files.push(format!("without {moved}"));
        let other = cluster.others(&moved)[0].clone();
        register(cluster.replica(&other).rest(), files.last().unwrap()).await;
        cluster.replica_mut(&moved).start();
        cluster.until_agreed().await;
        let address = cluster.peer_address(&moved);
        let after = until_told("the members know the new address", async || {
            let status = cluster.replica(&other).status().await?;
            let is_known = status
                .member(&moved)
                .is_some_and(|member| member.address == address);
            if is_known {
                Ok(status)
            } else {
                Err(format!("{status:?}"))
            }
        })
        .await;
        let id = |status: &zephyrfs_tests::ClusterStatus| status.member(&moved).map(|member| member.raft_id);
        assert_eq!(id(&after), id(&before), "who moved is the same replica");
        files.push(format!("{moved} at its new address"));
        register(cluster.replica(&moved).rest(), files.last().unwrap()).await;
    }
    assert_all_registered(&cluster, &files).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_may_come_back_at_another_port() {
    move_and_come_back(ClusterPlan::of(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_may_come_back_at_another_address() {
    move_and_come_back(ClusterPlan::of(3).with_links()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_replica_that_comes_back_says_what_to_do_and_joins_without_its_data() {
    let mut cluster = TestCluster::start(ClusterPlan::of(3)).await;
    cluster.register_nodes(4).await;
    let leader = cluster.until_leader().await;
    let removed = cluster.others(&leader)[0].clone();
    cluster.replica_mut(&removed).kill().await;
    let status = until_told(
        "it is seen that two are left, of which none may be lost",
        async || {
            let status = cluster.replica(&leader).status().await?;
            if status.failure_tolerance == 0 {
                Ok(status)
            } else {
                Err(format!("{status:?}"))
            }
        },
    )
    .await;
    assert_eq!(status.members.len(), 3);
    let taken_out = cluster.replica(&leader).rest();
    let taken_out = taken_out
        .answered("DELETE", &format!("/api/v1/cluster/members/{removed}"), None)
        .await;
    assert_eq!(taken_out.status, 200, "{taken_out:?}");

    cluster.replica_mut(&removed).start();
    let health = cluster.replica(&removed).place().health();
    until_told("it says that it was removed, and what to do", async || {
        let answer = health.send("GET", "/ready", None).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let reason = answer.body.to_string();
        if answer.status == 503 && reason.contains("was removed") && reason.contains("delete its data") {
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    })
    .await;
    assert_eq!(cluster.replica_mut(&removed).stop().await, Some(0));
    cluster.replica_mut(&removed).wipe();
    cluster.replica_mut(&removed).start();
    cluster.until_agreed().await;
    cluster.end().await;
}
