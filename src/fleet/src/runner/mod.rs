//! `fleet run`: nodes that live, clients that register files, failures, and a verification at the end.
//!
//! This module puts the parts together, in the order in which they start, and stops them in the reverse
//! order. Called by `main` and by tests.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::cli::run::RunArgs;
use crate::client::Coordinator;
use crate::client::connections::{Connections, NoEndpoint};
use crate::fleet::Fleet;
use crate::losses::Losses;
use crate::measure::counters::Counters;
use crate::measure::recorder::Recorder;
use crate::progress::{self, Line, Speed};
use crate::report::run::RunReport;
use crate::runner::failures::{FailureOrder, FailureOrderError};
use crate::runner::files::{ConfirmedBy, FileLoad};
use crate::runner::pacer::Pacer;
use crate::runner::scheduler::{LifePlan, Scheduler};
use crate::seed;
use crate::shutdown::Shutdown;
use crate::verify::{ChunkSample, Verification, Verifier};

pub mod agenda;
pub mod calls;
pub mod failures;
pub mod files;
pub mod pacer;
pub mod rhythm;
pub mod scheduler;
pub mod streams;
pub mod task_work;

/// Why a run could not be begun or finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The failures that were asked for cannot be.
    #[error(transparent)]
    Failures(#[from] FailureOrderError),
    /// There is no coordinator to speak to.
    #[error(transparent)]
    NoEndpoint(#[from] NoEndpoint),
    /// Files are needed, and none are to be registered.
    #[error("{0} needs new files: use --files-per-second with more than 0")]
    NeedsFiles(&'static str),
    /// A part of the fleet panicked.
    #[error("internal error: {0}")]
    Crashed(#[from] JoinError),
}

impl RunError {
    /// Whether the command line is at fault.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            RunError::Failures(_) | RunError::NoEndpoint(_) | RunError::NeedsFiles(_) => true,
            RunError::Crashed(_) => false,
        }
    }
}

/// What a run is at, for its latencies.
const FILLING: &str = "filling";
const STEADY: &str = "steady";
const LOSS: &str = "lost ones are waited for";
const REPAIR: &str = "being repaired";
const WHOLE: &str = "whole again";

/// Nodes fail together, one after the other within this time.
const AFTER_FAILURES: Duration = Duration::from_secs(1);

/// Files per second while filling: more than any coordinator takes.
const UNLIMITED: f64 = 1e9;

/// What the parts of a run share.
struct Shared {
    fleet: Arc<Fleet>,
    coordinator: Arc<Coordinator>,
    recorder: Arc<Recorder>,
    counters: Arc<Counters>,
    losses: Arc<Losses>,
    sample: Arc<ChunkSample>,
    seed: u64,
}

/// Runs the fleet until its time is up, its files are registered, or `shutdown`.
///
/// # Errors
/// When the options contradict each other. Whatever goes wrong with the coordinator is in the report.
pub async fn run(args: &RunArgs, shutdown: &Shutdown) -> Result<RunReport, RunError> {
    check(args)?;
    let seed = seed::given_or_new(args.seed);
    let profiles = args.layout(seed).profiles();
    let order = FailureOrder {
        nodes: args.fail.unwrap_or(0),
        zone: args.fail_zone.clone(),
        after: args.fail_after,
        lasting: args.fail_for,
    };
    let absences = failures::absences(&order, &profiles, seed)?;
    let recorder = Arc::new(Recorder::new(if args.chunks.is_some() {
        FILLING
    } else {
        STEADY
    }));
    let connections = Connections::new(&args.coordinator.endpoints, args.coordinator.connections)?;
    let coordinator = Coordinator::new(connections, args.coordinator.timeout, Arc::clone(&recorder));
    let shared = Shared {
        fleet: Arc::new(Fleet::new(profiles, Instant::now())),
        coordinator: Arc::new(coordinator),
        recorder,
        counters: Arc::new(Counters::default()),
        losses: Arc::new(Losses::default()),
        sample: Arc::new(ChunkSample::new(args.verify_sample, seed)),
        seed,
    };
    let plan = LifePlan {
        heartbeat: args.heartbeat,
        copy_rate: Some(args.copy_rate),
        absences,
        begin: CancellationToken::new(),
        streams: args.coordinator.streams,
    };
    live(args, shutdown, &shared, plan).await
}

fn check(args: &RunArgs) -> Result<(), RunError> {
    if args.files_per_second > 0.0 {
        return Ok(());
    }
    match (args.total_files, args.verify) {
        (Some(_), _) => Err(RunError::NeedsFiles("--total-files")),
        (None, true) if args.chunks.is_none() => Err(RunError::NeedsFiles("--verify")),
        (None, _) => Ok(()),
    }
}

async fn live(
    args: &RunArgs,
    shutdown: &Shutdown,
    shared: &Shared,
    plan: LifePlan,
) -> Result<RunReport, RunError> {
    let started = Instant::now();
    let stop_nodes = CancellationToken::new();
    let stop_files = CancellationToken::new();
    let begin = plan.begin.clone();
    let scheduler = Scheduler::new(
        Arc::clone(&shared.fleet),
        Arc::clone(&shared.coordinator),
        Arc::clone(&shared.counters),
        Arc::clone(&shared.losses),
        plan,
    );
    let settled = scheduler.settled();
    let nodes = tokio::spawn(scheduler.run(stop_nodes.clone()));
    let display = tokio::spawn(progress::show(stop_nodes.clone(), progress_lines(shared)));
    let phases = tokio::spawn(follow_losses(shared, stop_nodes.clone()));
    let clients = Clients {
        settled: settled.clone(),
        begin: begin.clone(),
        stop: stop_files.clone(),
    };
    let files = tokio::spawn(register_files(args, shared, clients));

    tokio::pin!(files);
    let files_done = tokio::select! {
        () = shutdown.finish.cancelled() => None,
        () = duration_over(args.duration, &begin) => None,
        () = all_rejected(&shared.fleet, &settled) => None,
        () = shared.losses.whole().cancelled_owned(), if args.until_whole => None,
        done = &mut files, if args.total_files.is_some() => Some(done),
    };
    stop_files.cancel();
    match files_done {
        Some(done) => done?,
        None => tokio::select! {
            done = &mut files => done?,
            () = shutdown.abandon.cancelled() => files.abort(),
        },
    }
    let elapsed = started.elapsed();
    let verification = match args.verify {
        true => Some(verify(args, shutdown, shared).await),
        false => None,
    };
    stop_nodes.cancel();
    nodes.await??;
    phases.await?;
    display.await?;
    let mut report = RunReport::new(
        shared.seed,
        elapsed,
        shared.fleet.census(),
        shared.counters.counts(),
        &shared.recorder,
        verification,
    );
    report.losses = shared.losses.summary();
    report.ok &= !args.until_whole || shared.losses.whole().is_cancelled();
    Ok(report)
}

/// Tells the phases of a run apart by what is lacking.
fn follow_losses(shared: &Shared, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
    let recorder = Arc::clone(&shared.recorder);
    let (fleet, losses) = (Arc::clone(&shared.fleet), Arc::clone(&shared.losses));
    let (begun, repairing, whole) = (losses.begun(), losses.repairing(), losses.whole());
    let phases = async move {
        begun.cancelled().await;
        recorder.enter(LOSS);
        // All that are to fail have done so.
        tokio::time::sleep(AFTER_FAILURES).await;
        let mut beyond_repair = losses.lacking();
        fleet.leave_unreachable(&mut beyond_repair);
        losses.beyond_repair(&beyond_repair, Instant::now());
        if repairing.run_until_cancelled(whole.cancelled()).await.is_none() {
            recorder.enter(REPAIR);
        }
        whole.cancelled().await;
        recorder.enter(WHOLE);
    };
    async move {
        stop.run_until_cancelled(phases).await;
    }
}

/// When the clients begin and end.
struct Clients {
    settled: CancellationToken,
    /// To be cancelled once the chunks are there that are to be there first.
    begin: CancellationToken,
    stop: CancellationToken,
}

fn register_files(
    args: &RunArgs,
    shared: &Shared,
    Clients { settled, begin, stop }: Clients,
) -> impl Future<Output = ()> + Send + use<> {
    let (rate, total_files, clients) = (args.files_per_second, args.total_files, args.clients);
    let shape = args.shape.file_shape();
    if args.chunks.is_none() {
        begin.cancel();
    }
    let files_first = args.chunks.map(|chunks| chunks.div_ceil(shape.chunks as u64));
    let recorder = Arc::clone(&shared.recorder);
    let load = {
        let fleet = Arc::clone(&shared.fleet);
        let coordinator = Arc::clone(&shared.coordinator);
        let counters = Arc::clone(&shared.counters);
        let sample = Arc::clone(&shared.sample);
        let (seed, patience) = (shared.seed, args.give_up_after);
        let stop = stop.clone();
        move |pacer, confirmation, first_client| FileLoad {
            fleet: Arc::clone(&fleet),
            coordinator: Arc::clone(&coordinator),
            counters: Arc::clone(&counters),
            sample: Arc::clone(&sample),
            pacer,
            shape,
            confirmation,
            seed,
            first_client,
            patience,
            stop: stop.clone(),
        }
    };
    async move {
        if stop.run_until_cancelled(settled.cancelled()).await.is_none() {
            return;
        }
        if let Some(files) = files_first {
            let pacer = Pacer::new(UNLIMITED, Some(files), Instant::now());
            load(pacer, ConfirmedBy::Client, clients as u64)
                .run(clients)
                .await;
            recorder.enter(STEADY);
        }
        begin.cancel();
        if rate > 0.0 {
            let pacer = Pacer::new(rate, total_files, Instant::now());
            load(pacer, ConfirmedBy::EachNode, 0).run(clients).await;
        }
    }
}

async fn duration_over(duration: Option<Duration>, begin: &CancellationToken) {
    match duration {
        Some(duration) => {
            begin.cancelled().await;
            tokio::time::sleep(duration).await;
        }
        None => std::future::pending().await,
    }
}

/// With no node left there is nothing to run.
async fn all_rejected(fleet: &Fleet, settled: &CancellationToken) {
    settled.cancelled().await;
    let census = fleet.census();
    if census.rejected < census.total {
        std::future::pending::<()>().await;
    }
}

async fn verify(args: &RunArgs, shutdown: &Shutdown, shared: &Shared) -> Verification {
    let verifier = Verifier {
        fleet: Arc::clone(&shared.fleet),
        coordinator: Arc::clone(&shared.coordinator),
        within: args.verify_within,
    };
    verifier.verify(shared.sample.chunks(), &shutdown.abandon).await
}

fn progress_lines(shared: &Shared) -> impl FnMut(Duration) -> Vec<Line> + Send + use<> {
    let (fleet, counters) = (Arc::clone(&shared.fleet), Arc::clone(&shared.counters));
    let losses = Arc::clone(&shared.losses);
    let recorder = Arc::clone(&shared.recorder);
    let (mut beats, mut files) = (Speed::default(), Speed::default());
    move |elapsed| {
        let (census, counts) = (fleet.census(), counters.counts());
        let tasks = counts.tasks_replicated + counts.tasks_deleted;
        let line = |label, text| Line { label, text };
        let lost = losses.summary().unwrap_or_default();
        let regained = lost.copies_made + lost.copies_returned;
        let gone = lost.copies_beyond_repair;
        vec![
            line(
                "nodes",
                format!("{} active, {} failed", census.active, census.failed),
            ),
            line(
                "heartbeats",
                format!("{:.1}/s", beats.per_second(counts.heartbeats, elapsed)),
            ),
            line(
                "files",
                format!(
                    "{} registered, {:.1}/s",
                    counts.files_registered,
                    files.per_second(counts.files_registered, elapsed)
                ),
            ),
            line("tasks", format!("{tasks} done")),
            line(
                "lost",
                format!(
                    "{} copies, {regained} regained, {gone} beyond repair",
                    lost.copies_lost
                ),
            ),
            line("errors", recorder.error_count().to_string()),
        ]
    }
}

#[cfg(test)]
mod tests;
