//! `coordinator chunk`: where a chunk's copies are, and why there.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::arguments::ClientArgs;
use super::display::{self, Time};
use super::exit::CliError;
use super::session::Session;
use super::table::{self, Align};
use super::values;

/// Show chunks, and explain where their copies are
#[derive(Debug, Args)]
pub(crate) struct ChunkCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) action: ChunkAction,
}

/// What to tell of a chunk.
#[derive(Debug, Subcommand)]
pub(crate) enum ChunkAction {
    /// Show a chunk and where it is
    Show {
        /// The chunk's id
        #[arg(value_parser = values::id)]
        id: String,
    },
    /// Explain which nodes have a chunk, and which others could take it or could not and why
    Explain {
        /// The chunk's id
        #[arg(value_parser = values::id)]
        id: String,
    },
}

#[derive(Deserialize)]
struct Chunk {
    chunk_id: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    size: i64,
    #[serde(default)]
    index: i64,
    file_id: Option<String>,
    #[serde(default)]
    stored_at_nodes: Vec<String>,
    created_at: Option<Time>,
}

#[derive(Deserialize)]
struct Explanation {
    chunk_id: String,
    #[serde(default)]
    wanted_replicas: i64,
    #[serde(default)]
    replicas: Vec<Replica>,
    #[serde(default)]
    candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Replica {
    node_id: String,
    #[serde(default)]
    state: String,
    node_status: Option<String>,
}

#[derive(Deserialize)]
struct Candidate {
    node_id: String,
    #[serde(default)]
    eligible: bool,
    reason: Option<String>,
}

impl ChunkAction {
    /// Does it.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        match self {
            Self::Show { id } => session.show(&["chunks", &id], |chunk| render_chunk(&chunk)).await,
            Self::Explain { id } => {
                session
                    .show(&["chunks", &id, "explain"], render_explanation)
                    .await
            }
        }
    }
}

fn render_chunk(chunk: &Chunk) -> String {
    table::facts([
        ("Chunk", display::text(&chunk.chunk_id)),
        ("Hash", display::text(&chunk.hash)),
        ("Size", display::size(chunk.size)),
        ("Index", chunk.index.to_string()),
        (
            "File",
            display::text(chunk.file_id.as_deref().unwrap_or_default()),
        ),
        ("Created", display::time(chunk.created_at.as_ref())),
        ("Nodes", display::text(&chunk.stored_at_nodes.join(", "))),
    ])
}

fn render_explanation(explanation: Explanation) -> String {
    let in_state = |state: &str| {
        let replicas = explanation.replicas.iter();
        replicas.filter(|replica| replica.state == state).count()
    };
    let holders: BTreeSet<_> = explanation
        .replicas
        .iter()
        .map(|replica| replica.node_id.clone())
        .collect();
    let mut text = table::facts([
        ("Chunk", display::text(&explanation.chunk_id)),
        (
            "Copies",
            format!(
                "{} stored, {} of {} wanted",
                in_state("stored"),
                in_state("stored") + in_state("assigned"),
                explanation.wanted_replicas
            ),
        ),
    ]);
    if !explanation.replicas.is_empty() {
        let header = [
            ("COPY ON", Align::Left),
            ("STATE", Align::Left),
            ("NODE IS", Align::Left),
        ];
        let row = |replica: Replica| {
            vec![
                display::text(&replica.node_id),
                display::text(&replica.state),
                display::text(replica.node_status.as_deref().unwrap_or("unknown")),
            ]
        };
        text.push('\n');
        text.push_str(&table::rows(&header, explanation.replicas.into_iter().map(row)));
    }
    // The holders have been shown; that they hold it already says nothing new.
    let is_other = |candidate: &Candidate| !holders.contains(&candidate.node_id);
    if explanation.candidates.iter().any(is_other) {
        let header = [
            ("OTHER NODE", Align::Left),
            ("COULD TAKE IT", Align::Left),
            ("WHY NOT", Align::Left),
        ];
        let row = |candidate: Candidate| {
            vec![
                display::text(&candidate.node_id),
                if candidate.eligible { "yes" } else { "no" }.to_owned(),
                display::text(candidate.reason.as_deref().unwrap_or_default()),
            ]
        };
        text.push('\n');
        let others = explanation.candidates.into_iter().filter(is_other);
        text.push_str(&table::rows(&header, others.map(row)));
    }
    text
}
