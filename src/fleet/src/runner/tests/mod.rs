//! Whole runs against a coordinator in memory; here is what they share.

use clap::Parser as _;
use tokio::task::JoinHandle;

use crate::cli::Cli;
use crate::cli::run::RunArgs;
use crate::report::run::RunReport;
use crate::runner::{RunError, run};
use crate::shutdown::Shutdown;
use crate::testing::fake_coordinator::FakeCoordinator;

mod files;
mod losses;
mod nodes;
mod streams;
mod tasks;
mod verification;

/// Few nodes that beat often, unless the test says otherwise.
pub(super) fn args(endpoint: &str, options: &[&str]) -> RunArgs {
    let quick = [
        ["--nodes", "4"],
        ["--heartbeat", "20ms"],
        ["--chunk-size", "4096"],
        ["--copy-rate", "instant"],
    ];
    let kept = quick
        .into_iter()
        .filter(|[name, _]| !options.contains(name))
        .flatten();
    let arguments = ["fleet", "--endpoint", endpoint]
        .into_iter()
        .chain(kept)
        .chain(options.iter().copied());
    Cli::try_parse_from(arguments).unwrap().run
}

/// A run in the background, and the way to end it.
pub(super) fn start(
    coordinator: &FakeCoordinator,
    options: &[&str],
) -> (JoinHandle<Result<RunReport, RunError>>, Shutdown) {
    let args = args(coordinator.endpoint(), options);
    let shutdown = Shutdown::default();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { run(&args, &shutdown).await }
    });
    (running, shutdown)
}

pub(super) async fn complete(coordinator: &FakeCoordinator, options: &[&str]) -> RunReport {
    run(&args(coordinator.endpoint(), options), &Shutdown::default())
        .await
        .unwrap()
}
