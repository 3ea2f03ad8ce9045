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
use crate::measure::counters::Counters;
use crate::measure::recorder::Recorder;
use crate::progress::{self, Line, Speed};
use crate::report::run::RunReport;
use crate::runner::failures::{FailureOrder, FailureOrderError};
use crate::runner::files::FileLoad;
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

/// What the parts of a run share.
struct Shared {
    fleet: Arc<Fleet>,
    coordinator: Arc<Coordinator>,
    recorder: Arc<Recorder>,
    counters: Arc<Counters>,
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
    let recorder = Arc::new(Recorder::default());
    let connections = Connections::new(&args.coordinator.endpoints, args.coordinator.connections)?;
    let coordinator = Coordinator::new(connections, args.coordinator.timeout, Arc::clone(&recorder));
    let shared = Shared {
        fleet: Arc::new(Fleet::new(profiles, Instant::now())),
        coordinator: Arc::new(coordinator),
        recorder,
        counters: Arc::new(Counters::default()),
        sample: Arc::new(ChunkSample::new(args.verify_sample, seed)),
        seed,
    };
    let plan = LifePlan {
        heartbeat: args.heartbeat,
        copy_rate: Some(args.copy_rate),
        absences,
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
        (None, true) => Err(RunError::NeedsFiles("--verify")),
        (None, false) => Ok(()),
    }
}

async fn live(
    args: &RunArgs,
    shutdown: &Shutdown,
    shared: &Shared,
    plan: LifePlan,
) -> Result<RunReport, RunError> {
    let begin = Instant::now();
    let stop_nodes = CancellationToken::new();
    let stop_files = CancellationToken::new();
    let scheduler = Scheduler::new(
        Arc::clone(&shared.fleet),
        Arc::clone(&shared.coordinator),
        Arc::clone(&shared.counters),
        plan,
    );
    let settled = scheduler.settled();
    let nodes = tokio::spawn(scheduler.run(stop_nodes.clone()));
    let display = tokio::spawn(progress::show(stop_nodes.clone(), progress_lines(shared)));
    let files = tokio::spawn(register_files(args, shared, settled.clone(), stop_files.clone()));

    tokio::pin!(files);
    let files_done = tokio::select! {
        () = shutdown.finish.cancelled() => None,
        () = duration_over(args.duration) => None,
        () = all_rejected(&shared.fleet, &settled) => None,
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
    let elapsed = begin.elapsed();
    let verification = match args.verify {
        true => Some(verify(args, shutdown, shared).await),
        false => None,
    };
    stop_nodes.cancel();
    nodes.await??;
    display.await?;
    Ok(RunReport::new(
        shared.seed,
        elapsed,
        shared.fleet.census(),
        shared.counters.counts(),
        &shared.recorder,
        verification,
    ))
}

fn register_files(
    args: &RunArgs,
    shared: &Shared,
    settled: CancellationToken,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let fleet = Arc::clone(&shared.fleet);
    let coordinator = Arc::clone(&shared.coordinator);
    let counters = Arc::clone(&shared.counters);
    let sample = Arc::clone(&shared.sample);
    let seed = shared.seed;
    let (rate, total_files, clients) = (args.files_per_second, args.total_files, args.clients);
    let (shape, patience) = (args.shape.file_shape(), args.give_up_after);
    async move {
        if rate <= 0.0 {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = settled.cancelled() => {}
        }
        let load = FileLoad {
            fleet,
            coordinator,
            counters,
            sample,
            pacer: Pacer::new(rate, total_files, Instant::now()),
            shape,
            seed,
            patience,
            stop,
        };
        load.run(clients).await;
    }
}

async fn duration_over(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
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
    let recorder = Arc::clone(&shared.recorder);
    let (mut beats, mut files) = (Speed::default(), Speed::default());
    move |elapsed| {
        let (census, counts) = (fleet.census(), counters.counts());
        let tasks = counts.tasks_replicated + counts.tasks_deleted;
        let line = |label, text| Line { label, text };
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
            line("errors", recorder.error_count().to_string()),
        ]
    }
}

#[cfg(test)]
mod tests;
