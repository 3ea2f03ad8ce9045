//! The nemesis: clients at all replicas read and write registers while one fault after another happens to replicas and
//! links. Then everything is healed, every replica must serve again and hold the same, and the history of all answers
//! must be that of registers. What happens follows from a seed; when it happens follows from what was done before, not
//! from a clock.
//!
//! A fault that was not seen to happen, a fault under which nothing was asked, and a history without a verdict are
//! failures like any other.

mod client;
mod fault;
mod registers;
mod traffic;
mod verdict;

use std::fmt;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;

pub use traffic::Counts;

use crate::cluster::{ClusterPlan, TestCluster};
use crate::history::Ordered;
use crate::wait::until_told;
use fault::{Fault, Target};
use traffic::Traffic;

/// The deadline of requests.
const DEADLINE: &str = "2s";

/// Clients wait a little longer than replicas do, and then do something else.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a replica logs that gets a snapshot.
const SNAPSHOT: &str = "Installing a snapshot from the leader";

/// Clients of each replica.
const CLIENTS: u64 = 3;

/// Commands that each replica must have acknowledged under each fault that leaves a majority.
const ENOUGH_COMMANDS: u64 = 5;

/// Operations that each replica must have refused, or not have answered, under each fault that leaves none: those take as
/// long as their deadlines.
const ENOUGH_REFUSALS: u64 = 3;

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// What happens follows from this.
    pub seed: u64,
    /// How many faults.
    pub faults: usize,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was run.
    pub campaign: Campaign,
    /// What the judge by indexes judged.
    pub judged: Ordered,
    /// What operations came to, by replica.
    pub counts: Vec<(String, Counts)>,
    /// From the end of the fault after which that took longest until every replica acknowledged a command.
    pub slowest_recovery: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            campaign: Campaign { seed, faults },
            judged: Ordered { commands, reads },
            counts,
            slowest_recovery,
        } = self;
        let sum = |of: fn(&Counts) -> u64| counts.iter().map(|(_, counts)| of(counts)).sum::<u64>();
        write!(
            f,
            "seed {seed}, {faults} faults: {commands} commands and {reads} reads were those of registers, {} operations were \
             refused, {} came to nobody knows what; every replica took commands again {slowest_recovery:.2?} after a fault \
             at most",
            sum(|counts| counts.refused),
            sum(|counts| counts.unknown),
        )
    }
}

/// Says how to do it again, when a run fails.
struct OnFailure(Campaign);

impl Drop for OnFailure {
    #[allow(
        clippy::print_stderr,
        reason = "whoever reads of a failed run wants to see it again"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Campaign { seed, faults } = self.0;
            eprintln!("the run failed; to do it again: scripts/nemesis --seed {seed} --faults {faults}");
        }
    }
}

impl Campaign {
    /// Runs it.
    ///
    /// # Panics
    /// If anything is not as it must be. The history, the logs and the data are kept then.
    pub async fn run(self) -> Report {
        let _on_failure = OnFailure(self);
        let mut random = SmallRng::seed_from_u64(self.seed);
        let mut cluster = TestCluster::start(self.plan()).await;
        cluster.register_nodes(4).await;
        let all = cluster.names();
        let mut traffic = Traffic::start(self.seed, cluster.apis(PATIENCE), CLIENTS);
        commands_at(&mut cluster, &traffic, &all, "before any fault").await;
        let mut slowest_recovery = Duration::ZERO;
        let deck = Fault::deck(&mut random, self.faults);
        for (number, (fault, target)) in deck.iter().copied().enumerate() {
            let words = format!("{fault:?} the {target:?}");
            let recovery = suffer(&mut cluster, &traffic, fault, target, &mut random).await;
            say(&format!(
                "  {:>2}. {words}: all replicas took commands again after {recovery:.2?}",
                number + 1
            ));
            slowest_recovery = slowest_recovery.max(recovery);
        }
        cluster.until_agreed().await;
        commands_at(&mut cluster, &traffic, &all, "after all faults").await;
        if deck.iter().any(|(fault, _)| *fault == Fault::Wipe) && self.keeps_little_log() {
            let installed = cluster
                .replicas()
                .iter()
                .map(|replica| replica.events(SNAPSHOT).len());
            assert!(
                installed.sum::<usize>() > 0,
                "a replica lost its disk, and nobody installed a snapshot"
            );
        }
        traffic.stop().await;
        let judged = verdict::reach(&cluster, &traffic).await;
        let counts = all
            .into_iter()
            .map(|name| (name.clone(), traffic.counts(&name)))
            .collect();
        cluster.end().await;
        Report {
            campaign: self,
            judged,
            counts,
            slowest_recovery,
        }
    }

    /// Every other run keeps so little of the log that whoever was away needs a snapshot.
    const fn keeps_little_log(self) -> bool {
        !self.seed.is_multiple_of(2)
    }

    fn plan(self) -> ClusterPlan {
        let plan = ClusterPlan::of(3)
            .with_links()
            .set("limits.request_timeout", DEADLINE);
        if self.keeps_little_log() {
            plan.set("raft.snapshot_every", "100")
                .set("raft.keep_entries", "20")
        } else {
            plan
        }
    }
}

#[allow(
    clippy::print_stdout,
    reason = "what a run does is what there is to see of it"
)]
fn say(line: &str) {
    println!("{line}");
}

/// One fault from its beginning to its end. Gives the time from its end until every replica acknowledged a command.
async fn suffer(
    cluster: &mut TestCluster,
    traffic: &Traffic,
    fault: Fault,
    target: Target,
    random: &mut SmallRng,
) -> Duration {
    let leader = cluster.until_leader().await;
    let target = match target {
        Target::Leader => leader,
        Target::Follower => cluster.others(&leader).choose(random).cloned().unwrap_or(leader),
    };
    let words = format!("under {fault:?} of {target}");
    let (all, others) = (cluster.names(), cluster.others(&target));
    fault.inflict(cluster, &target).await;
    if !fault.leaves_quorum() {
        refusals_at(cluster, traffic, &all, &words).await;
    } else if fault.takes_target_away() {
        commands_at(cluster, traffic, &others, &words).await;
    } else {
        commands_at(cluster, traffic, &all, &words).await;
    }
    fault.end(cluster, &target).await;
    let ended = Instant::now();
    commands_at(cluster, traffic, &all, &format!("after {fault:?} of {target}")).await;
    let recovery = ended.elapsed();
    if fault == Fault::Wipe {
        // Until it votes, another loss could be one too many.
        cluster.until_agreed().await;
    }
    recovery
}

/// Waits until clients of each of some replicas have had so many more operations come to something.
async fn more_at(
    cluster: &mut TestCluster,
    traffic: &Traffic,
    replicas: &[String],
    reason: &str,
    enough: u64,
    of: fn(Counts) -> u64,
) {
    let before: Vec<u64> = replicas
        .iter()
        .map(|replica| of(traffic.counts(replica)))
        .collect();
    until_told(reason, async || {
        cluster.check_alive();
        let now = replicas.iter().map(|replica| of(traffic.counts(replica)));
        let more: Vec<u64> = now.zip(&before).map(|(now, before)| now - before).collect();
        if more.iter().all(|more| *more >= enough) {
            Ok(())
        } else {
            Err(format!("{replicas:?} had {more:?}"))
        }
    })
    .await;
}

async fn commands_at(cluster: &mut TestCluster, traffic: &Traffic, replicas: &[String], when: &str) {
    let reason = format!("{replicas:?} acknowledge commands {when}");
    more_at(cluster, traffic, replicas, &reason, ENOUGH_COMMANDS, |counts| {
        counts.commands
    })
    .await;
}

async fn refusals_at(cluster: &mut TestCluster, traffic: &Traffic, replicas: &[String], when: &str) {
    let reason = format!("clients of {replicas:?} are refused {when}");
    let of = |counts: Counts| counts.refused + counts.unknown;
    more_at(cluster, traffic, replicas, &reason, ENOUGH_REFUSALS, of).await;
}
