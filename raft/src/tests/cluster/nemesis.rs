//! Clients at work while everything goes wrong that can.

use std::cell::Cell;
use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::{SimInstant, SimRuntime};
use zephyrfs_core::engine::{ClusterChange, Engine};

use super::history::Outcome;
use super::network::now;
use super::replicas::{End, World, below};
use super::workload::{Client, History, register_nodes};
use super::{each_seed, run};

const CLIENTS: u64 = 4;

/// After the last fault, at most so long until writes are acknowledged again: a restart, an election, a turn of patience.
const RECOVERY: Duration = Duration::from_secs(6);

/// Something that was done, and is to be undone.
enum Undo {
    Start(String),
    Resume(String),
    Mend(Vec<(String, String)>),
}

struct Faults {
    pending: Vec<(SimInstant, Undo)>,
}

impl Faults {
    async fn undo_due(&mut self, world: &mut World, everything: bool) {
        let mut left = Vec::new();
        for (at, undo) in std::mem::take(&mut self.pending) {
            if !everything && at > now() {
                left.push((at, undo));
                continue;
            }
            match undo {
                Undo::Start(name) if world.is_running(&name) => {}
                Undo::Start(name) => world.start(&name).await,
                Undo::Resume(name) => world.resume(&name),
                Undo::Mend(ways) => {
                    for (from, to) in ways {
                        world.network.mend(&from, &to);
                    }
                }
            }
        }
        self.pending = left;
    }

    fn later(&mut self, world: &mut World, bound_ms: u64, undo: Undo) {
        let at = now() + Duration::from_millis(below(world.random(), bound_ms));
        self.pending.push((at, undo));
    }

    fn cut(&mut self, world: &mut World, ways: Vec<(String, String)>) {
        for (from, to) in &ways {
            world.network.cut(from, to);
        }
        self.later(world, 4_000, Undo::Mend(ways));
    }

    async fn strike(&mut self, world: &mut World) {
        let names = world.names();
        let any = |world: &mut World| {
            names[usize::try_from(below(world.random(), names.len() as u64)).unwrap()].clone()
        };
        let victim = match world.leader() {
            // Whoever leads is hit most.
            Some(leader) if below(world.random(), 2) == 0 => leader,
            _ => any(world),
        };
        let others = || names.iter().filter(|name| **name != victim);
        match below(world.random(), 9) {
            0 => self.end(world, &victim, End::Kill),
            1 | 2 => self.end(world, &victim, End::PowerCut),
            3 => {
                if below(world.random(), 3) == 0 {
                    for name in &names {
                        self.end(world, name, End::PowerCut);
                    }
                }
            }
            4 => {
                let ways = others()
                    .flat_map(|other| [(victim.clone(), other.clone()), (other.clone(), victim.clone())]);
                self.cut(world, ways.collect());
            }
            5 => {
                let inwards = below(world.random(), 2) == 0;
                let ways = others().map(|other| {
                    if inwards {
                        (other.clone(), victim.clone())
                    } else {
                        (victim.clone(), other.clone())
                    }
                });
                self.cut(world, ways.collect());
            }
            6 => {
                let other = any(world);
                if other != victim {
                    self.cut(
                        world,
                        vec![(victim.clone(), other.clone()), (other, victim.clone())],
                    );
                }
            }
            7 => {
                world.halt(&victim);
                self.later(world, 3_000, Undo::Resume(victim));
            }
            _ => {
                let change = ClusterChange::TransferLeader { to: None };
                let asked = world.on(&victim, |engine| {
                    Box::pin(async move { engine.change_cluster(change, Duration::from_secs(2)).await })
                });
                drop(SimRuntime::spawn(asked));
            }
        }
    }

    fn end(&mut self, world: &mut World, name: &str, end: End) {
        if world.is_running(name) {
            world.end(name, end);
            self.later(world, 2_500, Undo::Start(name.to_owned()));
        }
    }
}

/// What came of a history with faults.
struct Suffered {
    outcome: Outcome,
    history: History,
    /// How often somebody began to lead.
    reigns: usize,
}

/// A history with faults, and what it came to.
async fn suffer(seed: u64, replicas: usize, duration: Duration) -> Suffered {
    let mut world = World::new(seed, replicas);
    world.start_all().await;
    world.until_ready(Duration::from_secs(30)).await;
    register_nodes(&world).await;
    let history = History::default();
    for number in 0..CLIENTS {
        let client = Client::new(seed, number + 1, world.doors(), history.clone());
        drop(SimRuntime::spawn(client.work(duration)));
    }
    let mut faults = Faults { pending: Vec::new() };
    let until = now() + duration;
    while now() < until {
        let pause = below(world.random(), 700);
        let wake = now() + Duration::from_millis(pause);
        while now() < wake {
            world.pass(Duration::from_millis(20)).await;
            faults.undo_due(&mut world, false).await;
        }
        faults.strike(&mut world).await;
    }
    faults.undo_due(&mut world, true).await;
    world.network.mend_all();
    let outcome = assert_recovers(seed, &mut world, &history).await;
    assert!(history.decided() > 20, "hardly anything was written");
    Suffered {
        outcome,
        history,
        reigns: world.witness().reigns(),
    }
}

/// Everything works again in bounded time, and all replicas have come to the same.
async fn assert_recovers(seed: u64, world: &mut World, history: &History) -> Outcome {
    let healed = now();
    world.until_ready(RECOVERY).await;
    let mut last = Client::new(seed, 99, world.doors(), history.clone());
    let before = history.decided();
    last.write("last", false).await;
    assert!(
        history.decided() > before,
        "no write is acknowledged {:?} after the last fault",
        now() - healed
    );
    // What clients still wait for.
    world.pass(Duration::from_secs(4)).await;
    world.assert_sound();
    let outcome = Outcome::of_all(world).await;
    outcome.explain(&history.calls());
    outcome
}

#[test]
fn three_replicas_keep_their_word_whatever_happens() {
    let (seeds, reigns) = (Cell::new(0), Cell::new(0));
    each_seed(0..8, |seed| {
        let (seeds, reigns) = (&seeds, &reigns);
        async move {
            let suffered = suffer(seed, 3, Duration::from_secs(10)).await;
            seeds.set(seeds.get() + 1);
            reigns.set(reigns.get() + suffered.reigns);
        }
    });
    assert!(
        reigns.get() > seeds.get(),
        "the faults did nothing: nobody lost the lead"
    );
}

#[test]
fn five_replicas_keep_their_word_whatever_happens() {
    each_seed(100..102, |seed| async move {
        suffer(seed, 5, Duration::from_secs(8)).await;
    });
}

#[test]
fn the_same_seed_makes_the_same_history() {
    let hash = |seed| {
        let Suffered { outcome, history, .. } = run(seed, suffer(seed, 3, Duration::from_secs(3)));
        blake3::hash(format!("{outcome:?}{:?}", history.calls()).as_bytes())
    };
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
}
