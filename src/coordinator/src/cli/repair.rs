//! `coordinator repair`: whether repair is stopped, what it found, and how it is let go on.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::arguments::ClientArgs;
use super::client::Repetition;
use super::display::{self, NOTHING, Time};
use super::exit::CliError;
use super::session::Session;
use super::table::{self, Align};

/// Show what repair does, and let it go on when it is stopped
#[derive(Debug, Args)]
pub(crate) struct RepairCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) action: RepairAction,
}

/// What to do with repair.
#[derive(Debug, Subcommand)]
pub(crate) enum RepairAction {
    /// Show whether repair is stopped, and what the leader found
    Status,
    /// Let repair go on: the nodes that fell silent together are not waited for
    Release,
}

#[derive(Deserialize)]
struct RepairStatus {
    brake: Option<Brake>,
    report: Option<Report>,
}

#[derive(Deserialize)]
struct Brake {
    since: Option<Time>,
    #[serde(default)]
    silent: Vec<String>,
    #[serde(default)]
    of: u64,
    #[serde(default)]
    domains: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    last_pass: Option<Pass>,
    running_pass: Option<RunningPass>,
    #[serde(default)]
    rebalancing: bool,
}

#[derive(Deserialize)]
struct Pass {
    #[serde(default)]
    took_seconds: f64,
    ended: Option<Time>,
    #[serde(default)]
    chunks: u64,
    #[serde(default)]
    by_copies: BTreeMap<String, u64>,
    #[serde(default)]
    waiting: BTreeMap<String, Waiting>,
    #[serde(default)]
    awaiting_nodes: u64,
    #[serde(default)]
    without_source: u64,
    #[serde(default)]
    unconfirmed: u64,
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    chunks: u64,
    #[serde(default)]
    bytes: i64,
    oldest_seconds: Option<i64>,
}

#[derive(Deserialize)]
struct RunningPass {
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    chunks: u64,
}

#[derive(Deserialize)]
struct Released {
    message: Option<String>,
    #[serde(default)]
    nodes: u64,
}

impl RepairAction {
    /// Does it.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        match self {
            Self::Status => session.show(&["repair"], |status| render(&status)).await,
            Self::Release => {
                let render = |Released { message, nodes }| {
                    display::outcome(message, || format!("{nodes} nodes are no longer waited for"))
                };
                let nothing = json!({});
                // A node that is written off twice is written off.
                let repetition = Repetition::Harmless {
                    shown_by: "coordinator repair status",
                };
                session
                    .post(&["repair", "release"], &nothing, repetition, render)
                    .await
            }
        }
    }
}

fn render(status: &RepairStatus) -> String {
    let mut facts = match &status.brake {
        None => vec![("Stopped", "no".to_owned())],
        Some(brake) => vec![
            (
                "Stopped",
                format!("since {}", display::time(brake.since.as_ref())),
            ),
            (
                "Silent together",
                format!(
                    "{} of {}: {}",
                    brake.silent.len(),
                    brake.of,
                    display::escaped(&brake.silent.join(", "))
                ),
            ),
            ("Lost altogether", display::text(&brake.domains.join(", "))),
            (
                "To go on",
                "wait until they are back, or `coordinator repair release`".to_owned(),
            ),
        ],
    };
    let Some(report) = &status.report else {
        facts.push((
            "Found",
            "ask the replica that leads; `coordinator cluster status` shows which".to_owned(),
        ));
        return table::facts(facts);
    };
    if let Some(RunningPass { seconds, chunks }) = &report.running_pass {
        facts.push(("Running pass", format!("{chunks} chunks in {seconds:.1} s")));
    }
    let rebalancing = if report.rebalancing { "yes" } else { "no" };
    facts.push(("Rebalancing", rebalancing.to_owned()));
    let Some(pass) = &report.last_pass else {
        facts.push(("Last pass", NOTHING.to_owned()));
        return table::facts(facts);
    };
    let by_copies: Vec<String> = pass
        .by_copies
        .iter()
        .map(|(copies, chunks)| format!("{copies}: {chunks}"))
        .collect();
    facts.extend([
        (
            "Last pass",
            format!(
                "{} chunks in {:.1} s, ended {}{}",
                pass.chunks,
                pass.took_seconds,
                display::time(pass.ended.as_ref()),
                // Nothing is looked at meanwhile.
                status
                    .brake
                    .as_ref()
                    .map_or("", |_| "; what follows is as of then")
            ),
        ),
        ("Chunks by copies", display::text(&by_copies.join(", "))),
        ("Waiting for nodes", pass.awaiting_nodes.to_string()),
        ("Without a source", pass.without_source.to_string()),
        ("Not brought yet", pass.unconfirmed.to_string()),
    ]);
    let mut text = table::facts(facts);
    if !pass.waiting.is_empty() {
        let header = [
            ("CLASS", Align::Left),
            ("CHUNKS", Align::Right),
            ("BYTES", Align::Right),
            ("OLDEST", Align::Right),
        ];
        let rows = pass.waiting.iter().map(|(class, waiting)| {
            vec![
                display::text(class),
                waiting.chunks.to_string(),
                display::size(waiting.bytes),
                waiting.oldest_seconds.map_or(NOTHING.to_owned(), display::span),
            ]
        });
        text.push('\n');
        text.push_str(&table::rows(&header, rows));
    }
    text
}
