//! Skeleton.

use std::process::ExitCode;

mod cli;
#[allow(dead_code, unused_imports)]
mod config;
#[allow(dead_code, unused_imports)]
mod logging;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), |_config| ExitCode::FAILURE)
}
