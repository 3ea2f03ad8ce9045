//! `coordinator cluster`: the coordinator's own replicas, as one of them sees them, and changes to them.

mod status;
mod watch;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::arguments::ClientArgs;
use super::client::Repetition;
use super::display;
use super::exit::CliError;
use super::session::Session;
use super::values;

pub(crate) use status::render;

/// Show and change the coordinator's own replicas
#[derive(Debug, Args)]
pub(crate) struct ClusterCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) action: ClusterAction,
}

/// What to do with the replicas.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterAction {
    /// Show the replicas, who leads, and how many may fail
    Status {
        /// Show it again and again, also while nobody answers, until it is interrupted
        #[arg(long)]
        watch: bool,
        /// How often
        #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = values::interval, requires = "watch")]
        interval: Duration,
    },
    /// Let another replica lead
    TransferLeader {
        /// Which one [default: the one that is furthest along]
        #[arg(value_parser = values::id)]
        name: Option<String>,
    },
    /// Remove a replica that will not come back
    Remove {
        /// The replica's name
        #[arg(value_parser = values::id)]
        name: String,
    },
    /// Change how many replicas there are to be
    Resize {
        /// How many
        #[arg(value_parser = clap::value_parser!(u16).range(1..=99))]
        replicas: u16,
    },
}

#[derive(Deserialize)]
struct Changed {
    message: Option<String>,
}

impl ClusterCommand {
    /// How its client is to be: who watches wants to be told soon that nobody answers.
    pub(crate) fn client(&self) -> ClientArgs {
        let mut client = self.client.clone();
        if matches!(self.action, ClusterAction::Status { watch: true, .. }) {
            client.timeout = client.timeout.min(watch::PATIENCE);
        }
        client
    }
}

impl ClusterAction {
    /// Does it. The coordinator remembers no keys for changes to itself, so those are never sent twice.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        let once = Repetition::Unsafe;
        match self {
            Self::Status { watch: false, .. } => session.show(&["cluster"], |status| render(&status)).await,
            Self::Status {
                watch: true,
                interval,
            } => watch::run(session, interval).await,
            Self::TransferLeader { name } => {
                let body = json!({ "to": name });
                let done = || match &name {
                    Some(name) => format!("{name} is asked to lead"),
                    None => "another replica is asked to lead".to_owned(),
                };
                let render = |changed: Changed| display::outcome(changed.message, done);
                session
                    .post(&["cluster", "transfer-leader"], &body, once, render)
                    .await
            }
            Self::Remove { name } => {
                let done = || format!("{name} is removed");
                let render = |changed: Changed| display::outcome(changed.message, done);
                session.delete(&["cluster", "members", &name], once, render).await
            }
            Self::Resize { replicas } => {
                let body = json!({ "replicas": replicas });
                let done = || format!("the cluster is to have {replicas} replicas");
                let render = |changed: Changed| display::outcome(changed.message, done);
                session.post(&["cluster", "resize"], &body, once, render).await
            }
        }
    }
}
