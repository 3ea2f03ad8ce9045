//! A vote that was given outlives a power cut.

use std::time::Duration;

use super::each_seed;
use super::replicas::{End, World, below};

const LONG: Duration = Duration::from_secs(30);

/// A step so short that nothing is on disk before it is seen.
const STEP: Duration = Duration::from_micros(100);

#[test]
fn a_power_cut_right_after_a_vote_does_not_take_it_back() {
    each_seed(0..4, |seed| async move {
        let mut world = World::new(seed, 3);
        world.start_all().await;
        for _ in 0..3 {
            let leader = world.until_ready(LONG).await;
            world.end(&leader, End::Kill);
            let votes = |world: &World, name: &str| world.witness().vote_of(world.raft_id(name));
            let before: Vec<_> = world
                .running()
                .into_iter()
                .map(|name| (votes(&world, &name), name))
                .collect();
            let voted = loop {
                world.pass(STEP).await;
                let voted = before
                    .iter()
                    .find(|(before, name)| votes(&world, name) != *before);
                if let Some((_, name)) = voted {
                    break name.clone();
                }
            };
            let pause = below(world.random(), 1_000);
            world.pass(Duration::from_micros(pause)).await;
            world.end(&voted, End::PowerCut);
            // What it comes back with is seen before anybody says anything to it.
            world.start(&voted).await;
            world.pass(STEP).await;
            world.start(&leader).await;
        }
        world.until_ready(LONG).await;
        world.assert_sound();
    });
}
