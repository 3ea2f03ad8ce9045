//! Leaders and followers that are cut off: nobody answers from the past, and nobody's return disturbs the others.

use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use rand::RngExt;
use zephyrfs_core::engine::{Consistency, Engine, EngineError, Freshness};

use super::each_seed;
use super::history::Outcome;
use super::replicas::{End, World, below};
use super::workload::{Client, Done, History, Written, register_nodes};
use crate::tests::support::{file, node};

const LONG: Duration = Duration::from_secs(30);

/// Three replicas that are ready, with the nodes that files need.
async fn ready(seed: u64) -> (World, String) {
    let mut world = World::new(seed, 3);
    world.start_all().await;
    let leader = world.until_ready(LONG).await;
    register_nodes(&world).await;
    (world, leader)
}

fn others(world: &World, name: &str) -> Vec<String> {
    world.names().into_iter().filter(|other| other != name).collect()
}

#[test]
fn a_leader_that_is_cut_off_neither_answers_from_the_past_nor_acknowledges() {
    each_seed(0..6, |seed| async move {
        let (mut world, leader) = ready(seed).await;
        let history = History::default();
        let mut client = Client::new(seed, 1, world.doors(), history.clone());
        // Both ways, or only those that come, or only those that go.
        for other in others(&world, &leader) {
            if seed % 3 != 1 {
                world.network.cut(&leader, &other);
            }
            if seed % 3 != 2 {
                world.network.cut(&other, &leader);
            }
        }
        let old = world.doors().find(&leader).unwrap();
        let rest = others(&world, &leader);
        let mut attempts = Vec::new();
        let mut was_deposed = false;
        let mut newer = None;
        for attempt in 0..60_u32 {
            let pause = world.random().random_range(10..120);
            world.pass(Duration::from_millis(pause)).await;
            // Somebody asks the one that was cut off, without waiting for what it says.
            let freshness = Freshness {
                consistency: if attempt % 2 == 0 {
                    Consistency::Linearizable
                } else {
                    Consistency::Leader
                },
                ..Freshness::default()
            };
            let mut asking = Client::new(seed, 1_000 + u64::from(attempt), world.doors(), history.clone());
            let (to, name) = (old.clone(), format!("cut-off-{attempt}"));
            attempts.push(SimRuntime::spawn(async move {
                asking.read_at(&to, "shared", freshness).await;
                if attempt % 5 == 0 {
                    asking.write_at(&to, &name, false).await;
                }
            }));
            let elected = rest.iter().find(|name| world.status(name).leads);
            was_deposed |= elected.is_some();
            if elected.is_some() && newer.is_none() {
                client
                    .write_at(&world.doors().find(&rest[0]).unwrap(), "shared", false)
                    .await;
                newer = Some(history.decided());
            }
        }
        assert!(was_deposed, "the others elected nobody");
        assert!(
            newer.is_some_and(|decided| decided > 0),
            "the others wrote nothing"
        );
        world.network.mend_all();
        world.until_ready(LONG).await;
        for attempt in attempts {
            attempt.await.unwrap();
        }
        world.assert_sound();
        Outcome::of_all(&world).await.explain(&history.calls());
    });
}

#[test]
fn a_follower_that_comes_back_does_not_unseat_the_leader() {
    each_seed(0..2, |seed| async move {
        let (mut world, leader) = ready(seed).await;
        let follower = others(&world, &leader).remove(0);
        let term = world.status(&leader).term;
        for turn in 0..3 {
            match (seed + turn) % 3 {
                0 => world.isolate(&follower),
                1 => world.network.cut(&leader, &follower),
                _ => {
                    for other in others(&world, &follower) {
                        world.network.cut(&follower, &other);
                    }
                }
            }
            let away = 1_000 + below(world.random(), 9_000);
            world.pass(Duration::from_millis(away)).await;
            let written = world.on(&leader, move |engine| {
                let command = node(&format!("while-away-{turn}"));
                Box::pin(async move { engine.execute(command, Duration::from_secs(5)).await })
            });
            written.await.unwrap().unwrap();
            world.network.mend_all();
            world.until_ready(Duration::from_secs(5)).await;
            world.pass(Duration::from_secs(3)).await;
            assert_eq!(world.leader(), Some(leader.clone()), "another one leads");
            assert_eq!(world.status(&leader).term, term, "there was an election");
        }
        world.assert_sound();
        Outcome::of_all(&world).await;
    });
}

#[test]
fn commands_that_were_with_a_leader_that_died_take_effect_once_under_the_next_one() {
    each_seed(0..16, |seed| async move {
        let (mut world, leader) = ready(seed).await;
        let history = History::default();
        let rest = others(&world, &leader);
        let mut writing = Vec::new();
        for number in 0..40 {
            let mut client = Client::new(seed, number + 1, world.doors(), history.clone());
            let to = world
                .doors()
                .find(&rest[usize::try_from(number % 2).unwrap()])
                .unwrap();
            writing.push(SimRuntime::spawn(async move {
                client.write_at(&to, &format!("own-{number}"), false).await;
            }));
        }
        let pause = below(world.random(), 12_000);
        world.pass(Duration::from_micros(pause)).await;
        world.end(&leader, if seed % 2 == 0 { End::Kill } else { End::PowerCut });
        for write in writing {
            write.await.unwrap();
        }
        for call in history.calls() {
            let Done::Wrote { outcome, .. } = &call.done else {
                continue;
            };
            assert!(
                matches!(outcome, Written::Decided(_, Ok(_))),
                "the next leader did not tell: {call:?}"
            );
        }
        assert_eq!(history.decided(), 40);
        world.start(&leader).await;
        world.until_ready(LONG).await;
        world.assert_sound();
        Outcome::of_all(&world).await.explain(&history.calls());
    });
}

#[test]
fn without_a_quorum_nothing_is_acknowledged_and_what_is_here_is_readable_locally() {
    each_seed(0..3, |seed| async move {
        let (mut world, leader) = ready(seed).await;
        let rest = others(&world, &leader);
        let left = if seed == 0 {
            leader.clone()
        } else {
            rest[0].clone()
        };
        Outcome::of_all(&world).await;
        for name in world.names() {
            if name != left {
                world.end(&name, End::PowerCut);
            }
        }
        world.pass(Duration::from_secs(5)).await;
        let written = world.on(&left, |engine| {
            Box::pin(async move { engine.execute(file("f", 1), Duration::from_secs(4)).await })
        });
        let error = written.await.unwrap().unwrap_err();
        assert!(
            matches!(
                error,
                EngineError::Unavailable { .. } | EngineError::UnknownOutcome { .. }
            ),
            "{error:?}"
        );
        let read = |consistency| {
            let freshness = Freshness {
                consistency,
                ..Freshness::default()
            };
            world.on(&left, move |engine| {
                Box::pin(async move { engine.nodes(freshness).await })
            })
        };
        assert_eq!(read(Consistency::Local).await.unwrap().unwrap().value.len(), 3);
        for consistency in [Consistency::Linearizable, Consistency::Leader] {
            let error = read(consistency).await.unwrap().unwrap_err();
            assert!(matches!(error, EngineError::Unavailable { .. }), "{error:?}");
        }
        let status = world.status(&left);
        assert!(status.not_ready.is_some(), "{status:?}");
        world.start_all().await;
        world.until_ready(LONG).await;
        world.assert_sound();
    });
}

#[test]
fn a_write_that_was_given_up_before_it_was_sent_is_not_done_later() {
    each_seed(0..4, |seed| async move {
        let mut world = World::new(seed, 3);
        world.start_all().await;
        let leader = world.until_ready(LONG).await;
        // No command of this one was ever on its way, so there is no connection yet.
        let asked = others(&world, &leader).remove(0);
        let members = world.status(&leader).applied;
        world.network.cut(&asked, &leader);
        world.network.cut(&leader, &asked);
        let giving_up = world.on(&asked, |engine| {
            Box::pin(async move { engine.execute(node("late"), Duration::from_millis(100)).await })
        });
        let answer = giving_up.await.unwrap();
        assert!(
            matches!(answer, Err(EngineError::Unavailable { .. })),
            "{answer:?}"
        );
        world.network.mend_all();
        world.pass(Duration::from_secs(3)).await;
        assert_eq!(world.status(&leader).applied, members, "it was done after all");
        Outcome::of_all(&world).await;
    });
}
