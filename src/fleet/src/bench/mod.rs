//! `fleet bench`: a closed loop of clients that each send one request after the other, measured.
//!
//! Every bench first registers its nodes, which go on beating in the background (`stage`), then runs clients
//! of one kind (`load`). One file per bench. Called by `main` and by tests.

use std::sync::Arc;

use crate::bench::error::BenchError;
use crate::bench::stage::Stage;
use crate::cli::bench::{BenchCommand, LoadArgs};
use crate::cli::output::Output;
use crate::report::bench::{BenchReport, Setting};
use crate::seed;
use crate::shutdown::Shutdown;

pub mod error;
pub mod fill;
pub mod find_chunk;
pub mod heartbeat;
pub mod heartbeat_stream;
pub mod load;
pub mod register_file;
pub mod registrar;
pub mod stage;

/// How the bench's result is to be printed.
#[must_use]
pub fn output(command: &BenchCommand) -> Output {
    load_args(command).output
}

/// Runs a bench to its end, or until `shutdown`.
///
/// # Errors
/// When the bench could not be prepared. Errors of the operations it measures are in the report.
pub async fn run(command: &BenchCommand, shutdown: &Shutdown) -> Result<BenchReport, BenchError> {
    let (bench, nodes) = match command {
        BenchCommand::RegisterFile(args) => ("register-file", args.nodes),
        BenchCommand::FindChunk(args) => ("find-chunk", args.nodes),
        BenchCommand::Heartbeat(args) => ("heartbeat", args.nodes),
        BenchCommand::HeartbeatStream(args) => ("heartbeat-stream", args.nodes),
        BenchCommand::Fill(args) => ("fill", args.nodes),
    };
    let load = load_args(command);
    let seed = seed::given_or_new(load.seed);
    let setting = Setting {
        bench,
        clients: load.clients,
        connections: load.coordinator.connections,
        nodes,
        seed,
    };
    let stage = Arc::new(Stage::set(load, nodes, seed, shutdown).await?);
    let result = match command {
        BenchCommand::RegisterFile(args) => register_file::run(args, setting, &stage, shutdown).await,
        BenchCommand::FindChunk(args) => find_chunk::run(args, setting, &stage, shutdown).await,
        BenchCommand::Heartbeat(args) => heartbeat::run(args, setting, &stage, shutdown).await,
        BenchCommand::HeartbeatStream(args) => heartbeat_stream::run(args, setting, &stage, shutdown).await,
        BenchCommand::Fill(args) => fill::run(args, setting, &stage, shutdown).await,
    };
    stage.clear().await?;
    result
}

fn load_args(command: &BenchCommand) -> &LoadArgs {
    match command {
        BenchCommand::RegisterFile(args) => &args.load,
        BenchCommand::FindChunk(args) => &args.load,
        BenchCommand::Heartbeat(args) => &args.load,
        BenchCommand::HeartbeatStream(args) => &args.load,
        BenchCommand::Fill(args) => &args.load,
    }
}

#[cfg(test)]
mod tests;
