//! The command line: `coordinator` starts the server, its subcommands ask a running one over the REST API.
//!
//! One command group, one file. Commands speak to any replica through `client`, print through `output`, and fail
//! with an error of `exit`, which is the exit code too. How the server starts is the caller's business: it is
//! handed in. Called by `main` only.

mod arguments;
mod chunk;
mod client;
mod cluster;
mod display;
mod drain;
mod exchange;
mod exit;
mod file;
mod health;
mod list;
mod node;
mod output;
mod recover;
mod repair;
mod session;
mod settings;
mod status;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod values;
mod watch;
mod why;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::config::{ConfigArgs, double_dashes};
use chunk::ChunkCommand;
use cluster::ClusterCommand;
use exchange::{ExportCommand, ImportCommand};
use exit::CliError;
use file::FileCommand;
use health::HealthCommand;
use node::NodeCommand;
use output::{Format, Output, Streams};
use recover::RecoverCommand;
use repair::RepairCommand;
use session::Session;
use settings::ConfigCommand;
use status::StatusCommand;
use watch::WatchCommand;
use why::WhyCommand;

/// The ZephyrFS coordinator, and the command line for a running one.
///
/// Without a command the server starts. All commands but `config`, `health`, `recover`, `export` and `import` ask a running coordinator,
/// any of its replicas, over its REST API.
#[derive(Parser)]
#[command(name = "coordinator", version, args_conflicts_with_subcommands = true, after_help = exit::EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server, as without a command
    Serve(ConfigArgs),
    #[command(flatten)]
    Tool(Tool),
}

/// What does not start the server.
#[derive(Subcommand)]
enum Tool {
    Status(StatusCommand),
    File(FileCommand),
    Node(NodeCommand),
    Chunk(ChunkCommand),
    Repair(RepairCommand),
    Why(WhyCommand),
    Cluster(ClusterCommand),
    Watch(WatchCommand),
    Health(HealthCommand),
    Config(ConfigCommand),
    Recover(RecoverCommand),
    Export(ExportCommand),
    Import(ImportCommand),
}

/// Does what the command line says: starts the server with `serve`, or runs a command.
pub(crate) fn run(
    arguments: impl IntoIterator<Item = OsString>,
    serve: impl FnOnce(ConfigArgs) -> ExitCode,
) -> ExitCode {
    let cli = match Cli::try_parse_from(double_dashes(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            // If the stream is closed nobody is there to read it.
            let _ = error.print();
            return ExitCode::from(exit::usage_code(&error));
        }
    };
    match cli.command {
        None => serve(cli.config),
        Some(Command::Serve(config)) => serve(config),
        Some(Command::Tool(tool)) => {
            let streams = Streams {
                is_terminal: io::stdout().is_terminal(),
                results: &mut io::stdout(),
                messages: &mut io::stderr(),
            };
            ExitCode::from(run_tool(tool, streams))
        }
    }
}

/// Runs a command to its end: the exit code.
fn run_tool(tool: Tool, streams: Streams<'_>) -> u8 {
    let Streams {
        results,
        messages,
        is_terminal,
    } = streams;
    let lent = Streams {
        results,
        messages: &mut *messages,
        is_terminal,
    };
    let result = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(execute(tool, lent));
            // A name that resolves slowly must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(CliError::Local(format!("the runtime cannot be started: {error}"))),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            if !error.is_closed_pipe() {
                // With stderr closed too, the exit code is all that is left to tell it.
                let _ = writeln!(messages, "coordinator: {error}");
            }
            error.code()
        }
    }
}

async fn execute(tool: Tool, streams: Streams<'_>) -> Result<(), CliError> {
    match tool {
        Tool::Status(StatusCommand { client }) => status::run(&mut Session::new(client, streams)?).await,
        Tool::File(FileCommand { client, action }) => action.run(&mut Session::new(client, streams)?).await,
        Tool::Node(NodeCommand { client, action }) => action.run(&mut Session::new(client, streams)?).await,
        Tool::Chunk(ChunkCommand { client, action }) => action.run(&mut Session::new(client, streams)?).await,
        Tool::Repair(RepairCommand { client, action }) => {
            action.run(&mut Session::new(client, streams)?).await
        }
        Tool::Why(WhyCommand { client, subject }) => subject.run(&mut Session::new(client, streams)?).await,
        Tool::Cluster(command) => {
            let mut session = Session::new(command.client(), streams)?;
            command.action.run(&mut session).await
        }
        Tool::Watch(command) => {
            let mut session = Session::new(command.client.clone(), streams)?;
            command.run(&mut session).await
        }
        Tool::Health(command) => {
            let mut output = Output::new(streams, command.output);
            health::run(command, &mut output).await
        }
        Tool::Recover(command) => recover::run(&command, &mut Output::new(streams, Some(Format::Table))),
        Tool::Export(command) => command.run(&mut Output::new(streams, Some(Format::Table))).await,
        Tool::Import(command) => command.run(&mut Output::new(streams, Some(Format::Table))).await,
        Tool::Config(command) => settings::run(&command, &mut Output::new(streams, Some(Format::Table))),
    }
}
