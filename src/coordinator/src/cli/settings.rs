//! `coordinator config`: prints the configuration that the server would start with here, or the reference of all
//! settings.

use clap::Args;
use zephyrfs_raft::Peer;

use super::exit::CliError;
use super::output::Output;
use crate::config::{self, Config, ConfigArgs, ConfigError, Loaded, Sources, process};

/// Print the configuration the server would start with here; secrets are masked
#[derive(Args)]
pub(crate) struct ConfigCommand {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print all settings with their defaults and meaning, as a Markdown table
    #[arg(long)]
    reference: bool,
}

/// Prints what was asked for.
///
/// # Errors
/// `Config` when the server would not start with it either; `Output`.
pub(crate) fn run(command: &ConfigCommand, output: &mut Output<'_>) -> Result<(), CliError> {
    if command.reference {
        return output.text(&config::markdown_table());
    }
    let loaded = load(&command.config)?;
    output.text(&config::effective_yaml(&loaded.effective))
}

/// The configuration from these flags, this process's environment, and its file.
///
/// # Errors
/// The first fault found.
pub(crate) fn load(args: &ConfigArgs) -> Result<Loaded, ConfigError> {
    let sources = Sources {
        environment: &process::environment(),
        read_file: &process::read_file,
        host_name: &process::host_name(),
    };
    config::load(args, &sources)
}

/// Who this replica is to be in a cluster that begins with it alone.
pub(crate) fn peer(config: &Config) -> Peer {
    Peer {
        name: config.cluster.name.clone(),
        address: config.cluster.advertised(config.cluster.peer_port),
        // Told by the replica itself when it starts.
        client_address: String::new(),
    }
}
