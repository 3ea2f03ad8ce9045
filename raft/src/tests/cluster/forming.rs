//! Replicas form one cluster, never two, whatever happens to them meanwhile.

use std::time::Duration;

use super::each_seed;
use super::replicas::{End, World, below};

const LONG: Duration = Duration::from_secs(30);

/// Starts all replicas in any order, with any pauses in between.
async fn start_in_any_order(world: &mut World) {
    let mut names = world.names();
    while !names.is_empty() {
        let next = below(world.random(), names.len() as u64);
        let name = names.remove(usize::try_from(next).unwrap());
        let pause = below(world.random(), 3_000);
        world.pass(Duration::from_millis(pause)).await;
        if !world.is_running(&name) {
            world.start(&name).await;
        }
    }
}

/// All replicas are voters of one cluster, and there never was another one.
async fn assert_one_cluster(world: &World, size: usize) {
    world.until_ready(LONG).await;
    let names = world.names();
    let statuses: Vec<_> = names.iter().map(|name| world.status(name)).collect();
    for status in &statuses {
        assert_eq!(status.cluster_id, statuses[0].cluster_id);
        assert_eq!(status.members.iter().filter(|member| member.voter).count(), size);
    }
    assert_eq!(world.witness().clusters().len(), 1, "two clusters had leaders");
    world.assert_sound();
}

#[test]
fn replicas_that_start_in_any_order_form_one_cluster() {
    each_seed(0..12, |seed| async move {
        let size = if seed % 4 == 3 { 5 } else { 3 };
        let mut world = World::new(seed, size);
        start_in_any_order(&mut world).await;
        assert_one_cluster(&world, size).await;
    });
}

#[test]
fn no_cluster_is_formed_while_one_replica_is_missing() {
    each_seed(0..3, |seed| async move {
        let mut world = World::new(seed, 3);
        let missing = world.names().remove(usize::try_from(seed % 3).unwrap());
        for name in world.names() {
            if name != missing {
                world.start(&name).await;
            }
        }
        world.pass(Duration::from_secs(20)).await;
        for name in world.running() {
            let status = world.status(&name);
            assert!(
                status.cluster_id.is_empty() && status.members.is_empty(),
                "{status:?}"
            );
            let reason = status.not_ready.unwrap();
            assert!(reason.contains(&missing), "{reason}");
        }
        world.start(&missing).await;
        assert_one_cluster(&world, 3).await;
    });
}

#[test]
fn one_of_the_later_replicas_forms_no_cluster_while_the_first_cannot_be_found() {
    each_seed(0..3, |seed| async move {
        let mut world = World::found_by_name(seed, 1);
        for name in ["coordinator-0", "coordinator-1"] {
            world.add(name);
        }
        world.start("coordinator-1").await;
        world.pass(Duration::from_secs(20)).await;
        let status = world.status("coordinator-1");
        assert!(status.cluster_id.is_empty(), "{status:?}");
        assert!(status.not_ready.unwrap().contains("CLUSTER_REPLICAS"));
        // The first one forms it, and the later one joins.
        world.end("coordinator-1", End::Kill);
        world.start("coordinator-0").await;
        world.until_ready(LONG).await;
        world.start("coordinator-1").await;
        assert_one_cluster(&world, 2).await;
    });
}

#[test]
fn no_half_of_a_parted_set_forms_a_cluster() {
    each_seed(0..2, |seed| async move {
        let mut world = World::new(seed, 5);
        let one_way = seed % 2 == 0;
        for from in ["a", "b", "c"] {
            for to in ["d", "e"] {
                world.network.cut(from, to);
                if !one_way {
                    world.network.cut(to, from);
                }
            }
        }
        start_in_any_order(&mut world).await;
        world.pass(Duration::from_secs(15)).await;
        assert!(world.witness().clusters().is_empty(), "a half formed a cluster");
        world.network.mend_all();
        assert_one_cluster(&world, 5).await;
    });
}

#[test]
fn a_crash_while_a_cluster_is_formed_leads_to_that_cluster_or_another_but_not_to_two() {
    each_seed(0..16, |seed| async move {
        let mut world = World::new(seed, 3);
        world.start_all().await;
        // Forming takes a second or so. The founder is the first by name; sometimes another one goes instead, or as well.
        for crash in 0..=below(world.random(), 3) {
            let pause = below(world.random(), if crash == 0 { 1_200_000 } else { 400_000 });
            world.pass(Duration::from_micros(pause)).await;
            let victim = if below(world.random(), 4) == 0 { "b" } else { "a" };
            let end = if below(world.random(), 4) == 0 {
                End::Kill
            } else {
                End::PowerCut
            };
            world.end(victim, end);
            let pause = below(world.random(), 2_000);
            world.pass(Duration::from_millis(pause)).await;
            world.start(victim).await;
        }
        assert_one_cluster(&world, 3).await;
    });
}
