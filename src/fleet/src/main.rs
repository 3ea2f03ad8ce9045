//! The command `fleet`: reads the command line, runs what it asks for, prints the result, and says by its
//! exit code how it went.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use serde::Serialize;
use zephyrfs_fleet::cli::output::Output;
use zephyrfs_fleet::cli::{Cli, Command};
use zephyrfs_fleet::shutdown::Shutdown;
use zephyrfs_fleet::{bench, runner};

const ALL_WELL: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// What went wrong, and what the exit code says of it.
struct Failure {
    message: String,
    code: u8,
}

fn main() -> ExitCode {
    let Cli { command, run } = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return fail(&Failure::new(
                format!("the runtime cannot be started: {error}"),
                FAILED,
            ));
        }
    };
    match runtime.block_on(execute(command.unwrap_or(Command::Run(run)))) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => fail(&failure),
    }
}

async fn execute(command: Command) -> Result<u8, Failure> {
    let shutdown = Shutdown::on_signals()
        .map_err(|error| Failure::new(format!("signals cannot be watched: {error}"), FAILED))?;
    match command {
        Command::Run(args) => {
            let report = Box::pin(runner::run(&args, &shutdown)).await.map_err(|error| {
                Failure::new(error.to_string(), if error.is_usage() { USAGE } else { FAILED })
            })?;
            print(&report, args.output)?;
            Ok(if report.ok { ALL_WELL } else { FAILED })
        }
        Command::Bench(command) => {
            let result = tokio::select! {
                result = Box::pin(bench::run(&command, &shutdown)) => result,
                () = shutdown.abandon.cancelled() => return Err(Failure::new("abandoned".to_owned(), FAILED)),
            };
            let report = result.map_err(|error| {
                Failure::new(error.to_string(), if error.is_usage() { USAGE } else { FAILED })
            })?;
            print(&report, bench::output(&command))?;
            Ok(if report.ok { ALL_WELL } else { FAILED })
        }
    }
}

fn print(report: &(impl Display + Serialize), output: Output) -> Result<(), Failure> {
    let unprintable =
        |error: &dyn Display| Failure::new(format!("the result cannot be printed: {error}"), FAILED);
    let text = match output {
        Output::Table => report.to_string(),
        Output::Json => serde_json::to_string_pretty(report).map_err(|error| unprintable(&error))? + "\n",
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| unprintable(&error))
}

impl Failure {
    fn new(message: String, code: u8) -> Self {
        Failure { message, code }
    }
}

fn fail(failure: &Failure) -> ExitCode {
    // If stderr is closed as well, the exit code is all that is left to say it.
    let _ = writeln!(std::io::stderr(), "fleet: {}", failure.message);
    ExitCode::from(failure.code)
}
