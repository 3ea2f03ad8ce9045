//! `coordinator why`: why a chunk, a node or a task is as it is.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::arguments::ClientArgs;
use super::display::{self, Time};
use super::exit::CliError;
use super::session::Session;
use super::table::{self, Align};
use super::values;
use super::watch::line_of;

/// Explain why a chunk, a node or a task is as it is
#[derive(Debug, Args)]
pub(crate) struct WhyCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) subject: Subject,
}

/// What to explain.
#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// Why a chunk has the copies that it has
    Chunk {
        /// The chunk's id
        #[arg(value_parser = values::id)]
        id: String,
    },
    /// Why a node is in the state that it is in
    Node {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
    },
    /// Why a task does not advance
    Task {
        /// The task's id, 32 hex digits
        #[arg(value_parser = values::id)]
        id: String,
    },
}

#[derive(Deserialize)]
struct Why {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    obstacles: Vec<String>,
    chunk: Option<Chunk>,
    node: Option<Node>,
    #[serde(default)]
    tasks: Vec<Task>,
    #[serde(default)]
    events: Vec<Value>,
    #[serde(default)]
    events_after: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chunk {
    copies_wanted: i64,
    copies_sure: i64,
    copies_missing: i64,
    class: Option<String>,
    lacking_since: Option<Time>,
    waits_until: Option<Time>,
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
struct Replica {
    node_id: String,
    #[serde(default)]
    state: String,
    node_status: Option<String>,
    #[serde(default)]
    counts: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    status: String,
    wanted: String,
    observed: String,
    last_heard: Option<Time>,
    used_percent: f64,
    copies: i64,
    bytes: i64,
}

#[derive(Deserialize)]
struct Task {
    id: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    chunk_id: String,
    #[serde(default)]
    node_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    attempt: i64,
    deadline: Option<Time>,
}

impl Subject {
    /// Explains it.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        let (kind, id) = match &self {
            Self::Chunk { id } => ("chunk", id),
            Self::Node { id } => ("node", id),
            Self::Task { id } => ("task", id),
        };
        session.show(&["why", kind, id], render).await
    }
}

fn render(why: Why) -> String {
    let mut text = display::escaped(&why.summary) + "\n";
    if why.obstacles.len() > 1 {
        text.push('\n');
        for obstacle in &why.obstacles {
            text.push_str(&format!("- {}\n", display::escaped(obstacle)));
        }
    }
    if let Some(node) = &why.node {
        text.push('\n');
        text.push_str(&render_node(node));
    }
    if let Some(chunk) = why.chunk {
        text.push('\n');
        text.push_str(&render_chunk(chunk));
    }
    if !why.tasks.is_empty() {
        text.push('\n');
        text.push_str(&render_tasks(why.tasks));
    }
    text.push_str(&format!("\nEvents after index {}:\n", why.events_after));
    if why.events.is_empty() {
        text.push_str("none\n");
    }
    for event in &why.events {
        text.push_str(&line_of(event));
    }
    text
}

fn render_node(node: &Node) -> String {
    table::facts([
        ("Status", display::text(&node.status)),
        ("Wanted", display::text(&node.wanted)),
        ("Observed", display::text(&node.observed)),
        ("Last heard", display::time(node.last_heard.as_ref())),
        ("Space used", format!("{:.1} %", node.used_percent)),
        (
            "Lies on it",
            format!("{} copies, {}", node.copies, display::size(node.bytes)),
        ),
    ])
}

fn render_chunk(chunk: Chunk) -> String {
    let mut text = table::facts([
        (
            "Copies",
            format!(
                "{} of {} can be relied on, {} are yet to be made",
                chunk.copies_sure, chunk.copies_wanted, chunk.copies_missing
            ),
        ),
        ("Class", display::text(chunk.class.as_deref().unwrap_or_default())),
        ("Lacking since", display::time(chunk.lacking_since.as_ref())),
        ("Waits until", display::time(chunk.waits_until.as_ref())),
    ]);
    if !chunk.replicas.is_empty() {
        let header = [
            ("COPY ON", Align::Left),
            ("STATE", Align::Left),
            ("NODE IS", Align::Left),
            ("COUNTS AS", Align::Left),
        ];
        let row = |replica: Replica| {
            vec![
                display::text(&replica.node_id),
                display::text(&replica.state),
                display::text(replica.node_status.as_deref().unwrap_or("unknown")),
                display::text(&replica.counts),
            ]
        };
        text.push('\n');
        text.push_str(&table::rows(&header, chunk.replicas.into_iter().map(row)));
    }
    text
}

fn render_tasks(tasks: Vec<Task>) -> String {
    let header = [
        ("TASK", Align::Left),
        ("TYPE", Align::Left),
        ("CHUNK", Align::Left),
        ("NODE", Align::Left),
        ("STATE", Align::Left),
        ("CLASS", Align::Left),
        ("ATTEMPT", Align::Right),
        ("DEADLINE", Align::Left),
        ("WHY", Align::Left),
    ];
    let row = |task: Task| {
        vec![
            display::text(&task.id),
            display::text(&task.kind),
            display::text(&task.chunk_id),
            display::text(&task.node_id),
            display::text(&task.state),
            display::text(&task.class),
            task.attempt.to_string(),
            display::time(task.deadline.as_ref()),
            display::text(&task.reason),
        ]
    };
    table::rows(&header, tasks.into_iter().map(row))
}
