//! Lets the nemesis loose on three replicas: see `scripts/nemesis`.

#![allow(
    clippy::print_stdout,
    reason = "what a run does is what there is to see of it"
)]

use std::time::{Duration, Instant};

use clap::Parser;
use zephyrfs_tests::nemesis::Campaign;

/// Runs three replicas under clients and faults, and checks that no client could tell them from one; ends at the first
/// failure
#[derive(Debug, Parser)]
#[command(name = "scripts/nemesis")]
struct Arguments {
    /// How long to go on with new seeds, in minutes
    #[arg(long, default_value_t = 10, conflicts_with = "seed")]
    minutes: u64,
    /// One run with this seed
    #[arg(long)]
    seed: Option<u64>,
    /// Faults of each run
    #[arg(long, default_value_t = 22)]
    faults: usize,
}

#[tokio::main]
async fn main() {
    let Arguments {
        minutes,
        seed,
        faults,
    } = Arguments::parse();
    let began = Instant::now();
    let mut runs = 0_usize;
    loop {
        let seed_of_run = seed.unwrap_or_else(|| rand::random::<u64>() >> 16);
        println!("seed {seed_of_run}, {faults} faults:");
        let campaign = Campaign {
            seed: seed_of_run,
            faults,
        };
        println!("{}", campaign.run().await);
        runs += 1;
        if seed.is_some() || began.elapsed() >= Duration::from_secs(60 * minutes) {
            println!("{runs} runs, and none failed");
            return;
        }
    }
}
