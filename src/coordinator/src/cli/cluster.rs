//! `coordinator cluster`: the coordinator's own replicas, as one of them sees them, and changes to them.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::arguments::ClientArgs;
use super::client::Repetition;
use super::display;
use super::exit::CliError;
use super::session::Session;
use super::table::{self, Align};
use super::values;

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
    Status,
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
        #[arg(value_parser = clap::value_parser!(u16).range(1..=15))]
        replicas: u16,
    },
}

/// What a replica says of the cluster.
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterStatus {
    #[serde(default)]
    cluster_id: String,
    #[serde(default)]
    engine: String,
    leader: Option<String>,
    #[serde(default)]
    term: u64,
    #[serde(default)]
    commit_index: u64,
    #[serde(default)]
    applied_index: u64,
    #[serde(default)]
    failure_tolerance: i64,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    healthy: bool,
    #[serde(default)]
    lag: u64,
}

#[derive(Deserialize)]
struct Changed {
    message: Option<String>,
}

impl ClusterAction {
    /// Does it. The coordinator remembers no keys for changes to itself, so those are never sent twice.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        let once = Repetition::Unsafe;
        match self {
            Self::Status => session.show(&["cluster"], |status| render(&status)).await,
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

/// The cluster as a screen.
pub(crate) fn render(status: &ClusterStatus) -> String {
    let leader = status.leader.as_deref();
    let mut text = table::facts([
        (
            "Cluster",
            format!(
                "{} ({})",
                display::text(&status.cluster_id),
                display::text(&status.engine)
            ),
        ),
        (
            "Leader",
            display::text(leader.unwrap_or("none: nothing can be written now")),
        ),
        ("Term", status.term.to_string()),
        (
            "Applied",
            format!("{} of {}", status.applied_index, status.commit_index),
        ),
        ("Can lose", replicas(status.failure_tolerance)),
    ]);
    if !status.members.is_empty() {
        let header = [
            ("REPLICA", Align::Left),
            ("ROLE", Align::Left),
            ("ADDRESS", Align::Left),
            ("HEALTHY", Align::Left),
            ("BEHIND", Align::Right),
        ];
        let row = |member: &Member| {
            let is_leader = leader == Some(member.name.as_str());
            vec![
                display::text(&member.name),
                if is_leader {
                    "leader".to_owned()
                } else {
                    display::text(&member.role)
                },
                display::text(&member.address),
                if member.healthy { "yes" } else { "no" }.to_owned(),
                member.lag.to_string(),
            ]
        };
        text.push('\n');
        text.push_str(&table::rows(&header, status.members.iter().map(row)));
    }
    text
}

fn replicas(count: i64) -> String {
    match count {
        0 => "no replica".to_owned(),
        1 => "1 replica".to_owned(),
        count => format!("{count} replicas"),
    }
}
