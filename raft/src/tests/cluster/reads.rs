//! Reads that come at the same moment as writes: each sees what was acknowledged before it began, however many share a round.

use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use zephyrfs_core::engine::Freshness;

use super::each_seed;
use super::history::Outcome;
use super::network::now;
use super::replicas::World;
use super::workload::{Client, History, register_nodes};

const READERS: u64 = 12;

/// For so long clients write and read.
const WORK: Duration = Duration::from_millis(600);

#[test]
fn reads_that_share_a_round_see_what_was_acknowledged_before_each_of_them() {
    each_seed(0..4, |seed| async move {
        let mut world = World::new(seed, 3);
        world.start_all().await;
        let leader = world.until_ready(Duration::from_secs(30)).await;
        register_nodes(&world).await;
        let history = History::default();
        let until = now() + WORK;
        let at_leader = world.doors().find(&leader).unwrap();
        let mut writer = Client::new(seed, 1, world.doors(), history.clone());
        let writing = SimRuntime::spawn(async move {
            while now() < until {
                writer.write_at(&at_leader, "shared", false).await;
            }
        });
        let elsewhere = world.names().into_iter().find(|name| *name != leader).unwrap();
        for number in 0..READERS {
            let replica = world.doors().find(&elsewhere).unwrap();
            let mut reader = Client::new(seed, 2 + number, world.doors(), history.clone());
            drop(SimRuntime::spawn(async move {
                while now() < until {
                    reader.read_at(&replica, "shared", Freshness::default()).await;
                    SimRuntime::sleep(Duration::from_micros(70 * (number + 1))).await;
                }
            }));
        }
        writing.await.unwrap();
        world.pass(Duration::from_secs(1)).await;
        assert!(history.decided() > 30, "hardly anything was written");
        Outcome::of_all(&world).await.explain(&history.calls());
        world.assert_sound();
    });
}
