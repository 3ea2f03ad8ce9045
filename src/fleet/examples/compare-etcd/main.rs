//! Measures three replicas of the coordinator beside three members of etcd: both on this machine, on loopback, with data on
//! the same disk, one after the other in turns, under the same load from this one program.
//!
//! `scripts/compare-etcd` builds everything and calls this. `plan` says what is compared, `api` what the two are asked,
//! `load` and `outage` how.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use zephyrfs_fleet::shutdown::Shutdown;

use crate::api::{Api, Operation, Timers};
use crate::cluster::Cluster;
use crate::coordinator::Coordinator;
use crate::error::CompareError;
use crate::etcd::Etcd;
use crate::load::{Load, Measured, Timing};
use crate::outage::Outage;
use crate::plan::{LOSSES, Loss, ROWS};
use crate::report::{Pair, Results};

mod api;
mod cluster;
mod coordinator;
mod error;
mod etcd;
mod load;
mod outage;
mod plan;
mod process;
mod report;

/// Measures three replicas of the coordinator beside three members of etcd.
#[derive(Debug, Parser)]
#[command(name = "compare-etcd")]
struct Options {
    /// The coordinator's program
    #[arg(long, value_name = "FILE")]
    coordinator: PathBuf,
    /// etcd's program
    #[arg(long, value_name = "FILE")]
    etcd: PathBuf,
    /// Where data is kept meanwhile, on the disk that is to be measured
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// How often all loads are repeated, each time on fresh data; 0 measures none
    #[arg(long, value_name = "N", default_value = "2")]
    rounds: usize,
    /// For how long each load is measured
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// How long each load runs before it is measured
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    warm_up: Duration,
    /// How often the leader is lost, in each way; 0 loses none
    #[arg(long, value_name = "N", default_value = "3")]
    outages: usize,
    /// Only rows whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    match Options::parse()
        .with_full_paths()
        .and_then(|options| compare_until_told_to_stop(&options))
    {
        Ok(results) => {
            // If nobody reads it, there is nobody to tell.
            let _ = write!(io::stdout(), "\n{results}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("compare-etcd: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// Members run in folders of their own, where relative paths mean something else.
    fn with_full_paths(mut self) -> Result<Self, CompareError> {
        for path in [&mut self.coordinator, &mut self.etcd, &mut self.dir] {
            *path = fs::canonicalize(&*path).map_err(CompareError::io(format!("find {}", path.display())))?;
        }
        Ok(self)
    }
}

fn compare_until_told_to_stop(options: &Options) -> Result<Results, CompareError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CompareError::io("start the runtime"))?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().map_err(CompareError::io("watch signals"))?;
        tokio::select! {
            results = Box::pin(compare(options)) => results,
            () = shutdown.finish.cancelled() => Err(CompareError::Interrupted),
        }
    })
}

async fn compare(options: &Options) -> Result<Results, CompareError> {
    let chosen = |name: &str| name.contains(&options.only);
    let mut results = Results {
        loads: ROWS
            .into_iter()
            .filter(|row| chosen(row.name))
            .map(|row| (row, Pair::default()))
            .collect(),
        losses: LOSSES
            .into_iter()
            .filter(|loss| chosen(loss.name))
            .map(|loss| (loss, Pair::default()))
            .collect(),
    };
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}", options.rounds));
        let loads: Vec<_> = results.loads.iter().map(|(row, _)| row.ours).collect();
        let ours = measure::<Coordinator>(&options.coordinator, options, &loads).await?;
        let loads: Vec<_> = results.loads.iter().map(|(row, _)| row.etcd).collect();
        let etcd = measure::<Etcd>(&options.etcd, options, &loads).await?;
        for (((_, pair), ours), etcd) in results.loads.iter_mut().zip(ours).zip(etcd) {
            pair.ours.push(ours);
            pair.etcd.push(etcd);
        }
    }
    for number in 1..=options.outages {
        say(&format!("outages {number} of {}", options.outages));
        for (loss, pair) in &mut results.losses {
            pair.ours
                .push(lose_leader::<Coordinator>(&options.coordinator, options, loss, loss.timers).await?);
            pair.etcd
                .push(lose_leader::<Etcd>(&options.etcd, options, loss, Timers::Default).await?);
        }
    }
    Ok(results)
}

/// All loads, one after the other, on one fresh cluster.
async fn measure<A: Api>(
    program: &Path,
    options: &Options,
    loads: &[Load],
) -> Result<Vec<Measured>, CompareError> {
    let timing = Timing {
        warm_up: options.warm_up,
        window: options.duration,
    };
    let cluster = Cluster::<A>::start(program, &options.dir, Timers::Default)?;
    let stock = cluster.settle().await?;
    let mut measured = Vec::with_capacity(loads.len());
    let mut beats_are_ready = false;
    for load in loads {
        if load.operation == Operation::Beat && !beats_are_ready {
            let connections = cluster.connections(&cluster.all(), 1);
            for connection in connections {
                connection
                    .stock_for_beats()
                    .await
                    .map_err(|status| CompareError::Prepare {
                        system: A::SYSTEM,
                        status,
                    })?;
            }
            beats_are_ready = true;
        }
        let result = load::run(&cluster, *load, timing, &stock).await?;
        say(&format!(
            "  {}: {:?} from {} clients at {:?}: {:.0}/s, p99 {:.1} ms",
            A::SYSTEM,
            load.operation,
            load.clients,
            load.target,
            result.per_second,
            result.p99_ms
        ));
        measured.push(result);
    }
    Ok(measured)
}

/// One outage on a fresh cluster.
async fn lose_leader<A: Api>(
    program: &Path,
    options: &Options,
    loss: &Loss,
    timers: Timers,
) -> Result<Outage, CompareError> {
    let cluster = Cluster::<A>::start(program, &options.dir, timers)?;
    let outage = outage::run(&cluster, loss.blow).await?;
    say(&format!(
        "  {}: {}: nothing written for {} ms, {} failed",
        A::SYSTEM,
        loss.name,
        outage.gap.as_millis(),
        outage.failed
    ));
    Ok(outage)
}

fn say(line: &str) {
    // Progress that nobody can see is no reason to stop.
    let _ = writeln!(io::stderr(), "{line}");
}
