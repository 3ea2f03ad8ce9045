//! Whole clusters under the deterministic simulator: the same code with another runtime, a network whose links are cut, and
//! disks that lose their power. Each test runs over a number of seeds; a seed decides everything that chance decides.

mod forming;
mod history;
mod link;
mod membership;
mod nemesis;
mod network;
mod partitions;
mod process;
mod reads;
mod replicas;
mod slow_disk;
mod strangers;
mod told;
mod votes;
mod witness;
mod workload;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;

/// Runs only the seed that this environment variable names.
const SEED: &str = "SIMULATION_SEED";

/// Runs so many seeds of each test instead of the few that fit into a minute.
const SEEDS: &str = "SIMULATION_SEEDS";

/// Runs a test over seeds, each in a world of its own. One that fails says how to repeat it.
fn each_seed<F: Future<Output = ()>>(seeds: Range<u64>, test: impl Fn(u64) -> F) {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|number| number.parse::<u64>().unwrap())
    };
    let seeds = match (number(SEED), number(SEEDS)) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => seeds.start..seeds.start + count,
        (None, None) => seeds,
    };
    for seed in seeds {
        run(seed, test(seed));
    }
}

/// Runs one seed.
fn run<T>(seed: u64, test: impl Future<Output = T>) -> T {
    let mut runtime = SimRuntime::with_seed(seed);
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(test))).unwrap_or_else(|panic| {
        let name = std::thread::current()
            .name()
            .unwrap_or("tests::cluster")
            .to_owned();
        eprintln!("seed {seed} failed; to repeat it: {SEED}={seed} cargo test -p zephyrfs-raft --lib {name}");
        resume_unwind(panic)
    })
}
