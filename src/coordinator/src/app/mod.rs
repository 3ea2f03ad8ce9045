//! The composition root: reads top to bottom as the order of start, and the reverse is the order of stop.
//!
//! The only place, beside the command line, that knows which engine there is.

mod clock;
mod descriptors;
mod error;
mod listeners;
mod memory;
mod opened;
mod server;
mod settings;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use crate::config::{self, ConfigArgs, Loaded, Sources};
use crate::logging;
use error::AppError;

/// How long what did not end by itself may take to be cut off.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Starts the server and runs it until it is told to stop.
pub(crate) fn run(args: &ConfigArgs) -> ExitCode {
    let environment = config::process::environment();
    let host_name = config::process::host_name();
    let sources = Sources {
        environment: &environment,
        read_file: &config::process::read_file,
        host_name: &host_name,
    };
    let loaded = match config::load(args, &sources) {
        Ok(loaded) => loaded,
        Err(error) => return fail_before_logging(&error),
    };
    if let Err(error) = logging::init(&loaded.config.log, &environment) {
        return fail_before_logging(&error);
    }
    match run_logged(&loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run_logged(loaded: &Loaded) -> Result<(), AppError> {
    let config_file = loaded.file.as_ref().map(|file| file.display().to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config_file = config_file.as_deref().unwrap_or("none, defaults apply"),
        "Coordinator starting"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(AppError::Runtime)?;
    let result = runtime.block_on(server::run(&loaded.config));
    // What is cut off, such as a connection that its client keeps open, still holds the databases: they are closed only
    // once it is gone.
    runtime.shutdown_timeout(CUT_OFF);
    result
}

/// Errors before there is a log go to stderr as plain lines.
#[allow(clippy::print_stderr, reason = "there is no log yet")]
fn fail_before_logging(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("coordinator: {error}");
    ExitCode::FAILURE
}
