//! Replicas that lose their disk, move, come and go; and leaders that hand over.

use std::collections::BTreeSet;
use std::time::Duration;

use zephyrfs_core::engine::{ClusterChange, ClusterError, Engine};
use zephyrfs_core::event::ClusterChanged;

use super::each_seed;
use super::history::Outcome;
use super::replicas::{End, World, below};
use super::told::Told;
use super::workload::{Client, History, register_nodes};

const LONG: Duration = Duration::from_secs(30);

/// So many replicas that are ready, and a leader.
async fn ready(seed: u64, replicas: usize) -> (World, String) {
    let mut world = World::new(seed, replicas);
    world.start_all().await;
    let leader = world.until_ready(LONG).await;
    register_nodes(&world).await;
    (world, leader)
}

async fn change(world: &World, at: &str, change: ClusterChange) -> Result<String, ClusterError> {
    let asked = world.on(at, |engine| {
        Box::pin(async move { engine.change_cluster(change, Duration::from_secs(10)).await })
    });
    asked.await.unwrap()
}

fn remove(name: &str) -> ClusterChange {
    ClusterChange::RemoveMember {
        name: name.to_owned(),
    }
}

fn follower(world: &World, leader: &str) -> String {
    world.names().into_iter().rfind(|name| name != leader).unwrap()
}

/// The raft ids of the voters, as a replica knows them.
fn voters(world: &World, name: &str) -> BTreeSet<u64> {
    let members = world.status(name).members;
    members
        .iter()
        .filter(|member| member.voter)
        .map(|member| member.raft_id)
        .collect()
}

/// Writes are acknowledged at every replica that runs, and all of them have come to the same.
async fn assert_whole(world: &World, seed: u64) {
    let history = History::default();
    // No command of an earlier call has such a number.
    let first = u64::try_from(super::network::now().elapsed_since_start().as_micros()).unwrap();
    for (number, name) in (first..).zip(world.running()) {
        let replica = world.doors().find(&name).unwrap();
        let mut client = Client::new(seed, number, world.doors(), history.clone());
        client.write_at(&replica, &format!("whole-{name}"), false).await;
    }
    assert_eq!(history.decided(), world.running().len(), "{:?}", history.calls());
    Outcome::of_all(world).await.explain(&history.calls());
    world.assert_sound();
}

#[test]
fn a_replica_that_lost_its_disk_takes_its_own_place_under_a_new_identity() {
    each_seed(0..3, |seed| async move {
        let (mut world, leader) = ready(seed, 3).await;
        // The leader's disk, too: another one leads then.
        let victim = if seed % 3 == 0 {
            leader
        } else {
            follower(&world, &leader)
        };
        let old = world.raft_id(&victim);
        world.end(&victim, End::PowerCut);
        world.wipe(&victim);
        let pause = below(world.random(), 3_000);
        world.pass(Duration::from_millis(pause)).await;
        world.start(&victim).await;
        assert_ne!(world.raft_id(&victim), old);
        let votes = world.witness().vote_of(old);
        world
            .until("the replica is a voter again", LONG, |world| {
                let new = world.raft_id(&victim);
                world.running().iter().all(|name| {
                    let voters = voters(world, name);
                    voters.len() == 3 && voters.contains(&new) && !voters.contains(&old)
                })
            })
            .await;
        world.until_ready(LONG).await;
        assert_eq!(
            world.witness().vote_of(old),
            votes,
            "an identity that is gone voted"
        );
        assert_eq!(world.witness().clusters().len(), 1);
        // It counts: with another one gone there is still a quorum.
        let leader = world.leader().unwrap();
        let other = world
            .names()
            .into_iter()
            .find(|name| *name != victim && *name != leader)
            .unwrap_or(leader);
        world.end(&other, End::Kill);
        world.until_ready(LONG).await;
        assert_whole(&world, seed).await;
    });
}

#[test]
fn a_second_replica_of_one_name_is_not_taken_in_while_the_first_one_is_up() {
    each_seed(0..1, |seed| async move {
        let (mut world, leader) = ready(seed, 3).await;
        let twin = follower(&world, &leader);
        let before = voters(&world, &leader);
        world.add_namesake("twin", &twin);
        world.start("twin").await;
        world.pass(Duration::from_secs(20)).await;
        assert_eq!(voters(&world, &leader), before);
        let reason = world.status("twin").not_ready.unwrap();
        assert!(reason.contains("another replica called"), "{reason}");
        world.end("twin", End::Kill);
        assert_whole(&world, seed).await;
    });
}

#[test]
fn a_replica_that_moved_is_found_at_its_new_address() {
    each_seed(0..2, |seed| async move {
        let (mut world, leader) = ready(seed, 3).await;
        let moves = if seed % 2 == 0 {
            leader
        } else {
            follower(&world, &leader)
        };
        let before = voters(&world, &moves);
        world.end(&moves, End::Kill);
        world.move_to(&moves, "elsewhere:8092");
        world.start(&moves).await;
        world
            .until("every replica knows the new address", LONG, |world| {
                world.running().iter().all(|name| {
                    let members = world.status(name).members;
                    members
                        .iter()
                        .any(|member| member.name == moves && member.address == "elsewhere:8092")
                })
            })
            .await;
        assert_eq!(voters(&world, &moves), before, "it is the same one");
        world.until_ready(LONG).await;
        assert_whole(&world, seed).await;
    });
}

#[test]
fn all_replicas_may_move_at_once() {
    each_seed(0..1, |seed| async move {
        let (mut world, _) = ready(seed, 3).await;
        for name in world.names() {
            world.end(&name, End::Kill);
            world.move_to(&name, &format!("new-{name}:8092"));
        }
        // Those that start know only where the others were, and what the operator tells them.
        world.look_at(["new-a:8092", "new-b:8092", "new-c:8092"]);
        world.start_all().await;
        world.until_ready(LONG).await;
        assert_whole(&world, seed).await;
    });
}

#[test]
fn a_replica_that_is_removed_stays_out_and_disturbs_nobody() {
    each_seed(0..2, |seed| async move {
        let (mut world, leader) = ready(seed, 3).await;
        let goes = if seed % 2 == 0 {
            leader.clone()
        } else {
            follower(&world, &leader)
        };
        let asked = world.names().into_iter().find(|name| *name != goes).unwrap();
        let done = change(&world, &asked, remove(&goes)).await.unwrap();
        assert!(done.contains("is removed"), "{done}");
        let stay: Vec<String> = world.names().into_iter().filter(|name| *name != goes).collect();
        world
            .until("the others lead", LONG, |world| {
                let leader = world.status(&stay[0]).leader;
                leader.is_some_and(|leader| leader != goes)
                    && stay.iter().all(|name| voters(world, name).len() == 2)
            })
            .await;
        let term = world.status(&stay[0]).term;
        // It is not stopped, and even starts again, as replicas do.
        world.pass(Duration::from_secs(10)).await;
        world.end(&goes, End::Kill);
        world.start(&goes).await;
        world.pass(Duration::from_secs(10)).await;
        assert_eq!(world.status(&stay[0]).term, term, "it made the others elect");
        assert!(world.status(&goes).not_ready.is_some());
        assert!(
            stay.iter()
                .all(|name| !voters(&world, name).contains(&world.raft_id(&goes)))
        );
        let refused = change(&world, &stay[0], remove("nobody")).await.unwrap_err();
        assert!(
            matches!(refused, ClusterError::NoSuchMember { .. }),
            "{refused:?}"
        );
        world.end(&goes, End::Kill);
        assert_whole(&world, seed).await;
    });
}

#[test]
fn members_are_told_of_when_somebody_comes_or_goes_and_at_no_other_time() {
    each_seed(0..3, |seed| async move {
        let (world, leader) = ready(seed, 3).await;
        let goes = follower(&world, &leader);
        let before = world.status(&leader).applied;
        change(&world, &leader, remove(&goes)).await.unwrap();
        let told = world.on(&leader, |engine| Box::pin(async move { Told::by(&engine).await }));
        let mut stay = world.names();
        stay.retain(|name| *name != goes);
        let without = ClusterChanged::Members {
            voters: stay,
            learners: Vec::new(),
        };
        // There are two entries: with the first, both sets vote.
        assert_eq!(told.await.unwrap().members_after(before), [without]);
    });
}

#[test]
fn a_change_that_would_leave_no_quorum_is_refused_and_changes_nothing() {
    each_seed(0..3, |seed| async move {
        let (mut world, leader) = ready(seed, 3).await;
        let down = follower(&world, &leader);
        let up = world
            .names()
            .into_iter()
            .find(|name| *name != down && *name != leader)
            .unwrap();
        world.end(&down, End::PowerCut);
        // The leader must have missed it.
        world.pass(Duration::from_secs(5)).await;
        let before = voters(&world, &leader);
        let refused = change(&world, &up, remove(&up)).await.unwrap_err();
        assert!(
            matches!(&refused, ClusterError::Refused { reason } if reason.contains(&down)),
            "{refused:?}"
        );
        let to_silent = ClusterChange::TransferLeader {
            to: Some(down.clone()),
        };
        let refused = change(&world, &up, to_silent).await.unwrap_err();
        assert!(matches!(refused, ClusterError::Refused { .. }), "{refused:?}");
        assert_eq!(
            (voters(&world, &leader), voters(&world, &up)),
            (before.clone(), before)
        );
        // The one that is gone may go.
        change(&world, &up, remove(&down)).await.unwrap();
        world
            .until("two are left", LONG, |world| voters(world, &leader).len() == 2)
            .await;
        assert_whole(&world, seed).await;
    });
}

#[test]
fn a_cluster_is_made_smaller_step_by_step_down_to_one() {
    each_seed(0..3, |seed| async move {
        let (mut world, _) = ready(seed, 5).await;
        for (replicas, gone) in [(3_u32, vec!["d", "e"]), (1, vec!["b", "c"])] {
            let done = change(&world, "a", ClusterChange::Resize { replicas })
                .await
                .unwrap();
            assert!(gone.iter().all(|name| done.contains(name)), "{done}");
            for name in gone {
                world.end(name, End::Kill);
            }
            world.until_ready(LONG).await;
            assert_eq!(voters(&world, "a").len(), usize::try_from(replicas).unwrap());
            assert_whole(&world, seed).await;
        }
    });
}

#[test]
fn leadership_goes_to_the_one_that_is_named_without_an_election() {
    each_seed(0..8, |seed| async move {
        let (world, leader) = ready(seed, 3).await;
        let next = follower(&world, &leader);
        let at = if seed % 2 == 0 { &leader } else { &next };
        let named = ClusterChange::TransferLeader {
            to: Some(next.clone()),
        };
        let began = super::network::now();
        let done = change(&world, at, named).await.unwrap();
        assert!(done.contains(&next), "{done}");
        assert!(
            super::network::now() - began < Duration::from_millis(400),
            "as long as an election"
        );
        world
            .until("all follow the new leader", LONG, |world| {
                world.leader().as_ref() == Some(&next)
            })
            .await;
        assert_whole(&world, seed).await;
    });
}

#[test]
fn a_leader_that_is_stopped_in_order_hands_over_first() {
    each_seed(0..6, |seed| async move {
        let (mut world, leader) = ready(seed, 3).await;
        world.stop(&leader).await;
        // Well before anybody would stand for election.
        world
            .until("another one leads", Duration::from_millis(200), |world| {
                world.leader().is_some_and(|next| next != leader)
            })
            .await;
        assert_whole(&world, seed).await;
        world.start(&leader).await;
        world.until_ready(LONG).await;
        assert_whole(&world, seed + 1_000).await;
    });
}
