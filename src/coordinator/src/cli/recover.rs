//! `coordinator recover`: the way out when most replicas of a cluster are lost for good. Works on the data of a replica that is
//! not running.

use std::fmt::Write as _;

use clap::Args;
use zephyrfs_raft::{Files, Recovered, recover_files};

use super::exit::CliError;
use super::output::Output;
use super::settings;
use crate::config::{ConfigArgs, DatabaseEngine};

/// Make a cluster of one out of this replica's data, when the quorum is lost for good
///
/// Run it on the replica with the most data, while it is stopped. Writes that only the lost replicas had are gone. The new
/// cluster has a new id: delete the data of every other replica before it is started again, and it joins.
#[derive(Args)]
pub(crate) struct RecoverCommand {
    #[command(flatten)]
    config: ConfigArgs,
    /// Really do it; without this, only what would be done is shown
    #[arg(long)]
    accept_data_loss: bool,
}

/// Does it, or shows what it would do.
///
/// # Errors
/// `Config`; `Refused` if it cannot be done, or was not confirmed; `Output`.
pub(crate) fn run(command: &RecoverCommand, output: &mut Output<'_>) -> Result<(), CliError> {
    let loaded = settings::load(&command.config)?;
    let config = &loaded.config;
    if config.database.engine == DatabaseEngine::Postgres {
        return Err(CliError::Refused(
            "not applicable: engine postgres; restore the database from its own backup instead".to_owned(),
        ));
    }
    let refused = |error: &dyn std::fmt::Display| CliError::Refused(error.to_string());
    let path = config.database_path();
    // Looking for data makes no directory.
    if path.parent().is_some_and(|directory| !directory.exists()) {
        return Err(CliError::Refused(format!(
            "{} is not there, so there is nothing to recover; set DATA_PATH as for the server",
            path.display()
        )));
    }
    let disk = Files::new(path).map_err(|error| refused(&error))?;
    let recovered = recover_files(&disk, &settings::peer(config), command.accept_data_loss);
    let recovered = recovered.map_err(|error| refused(&error))?;
    output.text(&told(&recovered, &config.cluster.name, command.accept_data_loss))?;
    if command.accept_data_loss {
        Ok(())
    } else {
        Err(CliError::Refused(
            "nothing was done; repeat with --accept-data-loss to do it".to_owned(),
        ))
    }
}

fn told(recovered: &Recovered, name: &str, is_done: bool) -> String {
    let Recovered {
        old_cluster,
        new_cluster,
        last_index,
        left_behind,
    } = recovered;
    let others = if left_behind.is_empty() {
        "nobody".to_owned()
    } else {
        left_behind.join(", ")
    };
    let mut text = String::new();
    let verb = if is_done { "is now" } else { "would become" };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{name} {verb} the only member of a new cluster.\n\
         \x20 kept        everything up to index {last_index} of cluster {old_cluster}\n\
         \x20 lost        writes that only other replicas had: some of them may have been acknowledged\n\
         \x20 left out    {others}: delete their data before they are started again; they join anew\n",
    );
    if is_done {
        let _ = writeln!(text, "  new cluster {new_cluster}");
    }
    text
}
