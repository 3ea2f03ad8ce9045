//! `coordinator export` and `coordinator import`: all rows, out of whatever engine the configuration names and into it.
//!
//! Both work on the data itself, not on a running coordinator. What lies between is a dump: see `dump_file`.

mod export;
mod import;

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use zephyrfs_postgres::{Access, ExchangeError};

pub(crate) use export::ExportCommand;
pub(crate) use import::ImportCommand;

use super::exit::CliError;
use crate::config::Config;

/// What stands for a pipe instead of a file.
const PIPE: &str = "-";

fn is_pipe(path: &Path) -> bool {
    path.as_os_str() == PIPE
}

/// How to reach the database that the configuration names.
fn access(config: &Config) -> Result<Access, CliError> {
    let database = &config.database;
    let password = database
        .read_password()
        .map_err(|error| CliError::Local(error.to_string()))?;
    Ok(Access {
        url: database.url.as_ref().map_or("", |url| url.expose()).to_owned(),
        password,
        name: config.cluster.name.clone(),
    })
}

/// A bar, which is drawn only where stderr is a terminal.
fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn refused(error: impl std::fmt::Display) -> CliError {
    CliError::Refused(error.to_string())
}

/// A database on the network does not say which one it is when it refuses.
fn refused_by(place: &str) -> impl Fn(ExchangeError) -> CliError {
    move |error| refused(format_args!("{place}: {error}"))
}
