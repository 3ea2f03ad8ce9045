//! The ZephyrFS coordinator: the server and its command line. The binary is a thin shell around this library.
//!
//! Inside, the arrows point one way: [`api`] converts and calls [`service`], which knows neither gRPC nor HTTP and
//! speaks to the rules and the engine of `zephyrfs_core`. [`jobs`] propose by themselves. [`health`] and [`metrics`]
//! look at the engine. `app` puts everything together, and `cli` is the front door.

pub mod api;
mod app;
mod cli;
mod config;
mod connections;
pub mod dump_file;
pub mod health;
pub mod http_server;
pub mod jobs;
mod logging;
pub mod metrics;
pub mod service;

use std::process::ExitCode;

/// Does what the command line says.
pub fn main() -> ExitCode {
    cli::run(std::env::args_os(), |config| app::run(&config))
}
