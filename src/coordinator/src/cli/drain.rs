//! How far the drain of a node is, once or until it is over.

use std::io;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use tokio::time::sleep;

use super::client::Request;
use super::display::{self, NOTHING, Time};
use super::exit::CliError;
use super::output::Format;
use super::session::Session;
use super::table::{self, Align};
use super::values;

/// When so many answers in a row said the same, it is looked up what the chunks that are left wait for.
const UNCHANGED: u32 = 10;

/// So many of them are named then.
const NAMED: u32 = 3;

/// What the API calls it that a node is unregistered after its drain.
const REMOVE: &str = "remove";

/// Permille in all.
const WHOLE: u64 = 1_000;

/// The options of commands that begin a drain.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// Also if the other nodes cannot take over what lies on it
    #[arg(long)]
    pub(crate) force: bool,
    /// Wait until the node can be switched off
    #[arg(long)]
    pub(crate) wait: bool,
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = values::interval, requires = "wait")]
    pub(crate) interval: Duration,
}

/// How far a drain is, as the coordinator says it.
#[derive(Debug, Deserialize)]
pub(crate) struct DrainStatus {
    #[serde(default)]
    node_id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    progress_percent: f64,
    #[serde(default)]
    copies_left: i64,
    #[serde(default)]
    bytes_left: i64,
    #[serde(default)]
    copies_at_start: i64,
    #[serde(default)]
    bytes_at_start: i64,
    since: Option<Time>,
    eta_seconds: Option<i64>,
    #[serde(default)]
    then: String,
    #[serde(default)]
    drained: bool,
    drained_at: Option<Time>,
    #[serde(default)]
    chunks: Vec<LeftChunk>,
}

#[derive(Debug, Deserialize)]
struct LeftChunk {
    chunk_id: String,
    #[serde(default)]
    reason: String,
}

impl DrainStatus {
    /// Whether the node can be switched off, and is unregistered if it is to be.
    fn is_over(&self) -> bool {
        // One that was drained already when it was decommissioned is there for a moment still.
        self.drained && (self.then != REMOVE || self.status != "draining")
    }

    /// How far it is, in a line.
    fn line(&self) -> String {
        let eta = self
            .eta_seconds
            .map_or("an unknown time".to_owned(), display::span);
        format!(
            "{:.1} % done, {} of {} copies left ({}), {eta} to go",
            self.progress_percent,
            self.copies_left,
            self.copies_at_start,
            display::size(self.bytes_left)
        )
    }
}

/// Shows how far a drain is.
///
/// # Errors
/// Any [`CliError`].
pub(crate) async fn show(session: &mut Session<'_>, id: &str, chunks: u32) -> Result<(), CliError> {
    let request = Request::get(["nodes", id, "drain"]).query("chunks", chunks.to_string());
    let answer = session.send(&request).await?;
    session.output.answer(&answer, |status| render(&status))
}

/// Waits until a node can be switched off: with a bar on a terminal, elsewhere with a line among the messages whenever
/// something moved.
///
/// # Errors
/// `Refused` when the drain was cancelled meanwhile; `NotFound` when the node was unregistered before it was over; `Local`
/// when the command is interrupted; any other [`CliError`] but `Unavailable`.
pub(crate) async fn wait(session: &mut Session<'_>, id: &str, interval: Duration) -> Result<(), CliError> {
    wait_unless(session, id, interval, tokio::signal::ctrl_c()).await
}

/// The same, until it is `interrupted`.
pub(super) async fn wait_unless(
    session: &mut Session<'_>,
    id: &str,
    interval: Duration,
    interrupted: impl Future<Output = io::Result<()>>,
) -> Result<(), CliError> {
    let bar = bar(session.output.is_redrawn());
    let result = tokio::select! {
        result = follow(session, id, interval, &bar) => result,
        interrupted = interrupted => Err(CliError::Local(match interrupted {
            Ok(()) => format!(
                "interrupted; the drain of {id} goes on: `coordinator node drain-status {id}` shows how far it is, \
                 `coordinator node cancel-drain {id}` stops it"
            ),
            Err(error) => format!("cannot listen for signals: {error}; the drain of {id} goes on"),
        })),
    };
    bar.finish_and_clear();
    result?;
    let text = format!("{id} can be switched off");
    match session.output.format() {
        Format::Table => session.output.text(&(display::escaped(&text) + "\n")),
        Format::Json => {
            session.output.note(&display::escaped(&text));
            Ok(())
        }
    }
}

async fn follow(
    session: &mut Session<'_>,
    id: &str,
    interval: Duration,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    let (mut before, mut unchanged) = (None, 0);
    let mut told = Vec::new();
    loop {
        // Nothing moves: then it is asked what is being waited for, now and again.
        let asks_why = unchanged > 0 && unchanged % UNCHANGED == 0;
        let mut request = Request::get(["nodes", id, "drain"]);
        if asks_why {
            request = request.query("chunks", NAMED.to_string());
        }
        match session.ask(&request).await {
            Ok(answer) => {
                let status: DrainStatus = answer.read()?;
                if status.is_over() {
                    return Ok(());
                }
                let line = status.line();
                if before.as_ref() == Some(&status.copies_left) {
                    unchanged += 1;
                } else {
                    unchanged = 0;
                    tell(session, bar, &line);
                }
                before = Some(status.copies_left);
                bar.set_position((status.progress_percent * 10.0) as u64);
                bar.set_message(line);
                if asks_why {
                    let left = status.chunks.iter();
                    let reasons: Vec<String> = left
                        .map(|chunk| format!("chunk {} is left: {}", chunk.chunk_id, chunk.reason))
                        .collect();
                    // What was said before need not be said again while it is so.
                    for text in reasons.iter().filter(|text| !told.contains(*text)) {
                        bar.suspend(|| session.output.note(&display::escaped(text)));
                    }
                    told = reasons;
                }
            }
            Err(CliError::NotFound(text)) => {
                let id = display::escaped(id);
                return Err(CliError::NotFound(format!(
                    "{id} was unregistered before its drain was over: do not switch it off, as what was left on it may lie \
                     nowhere else; `coordinator why node {id}` says when it was unregistered and why: {text}"
                )));
            }
            Err(CliError::Unavailable { attempts }) => {
                // To ask why again and again would cost the coordinator most when it is busy, and show no progress.
                unchanged += 1;
                let text = format!("no replica answers: {attempts}; the drain goes on");
                bar.suspend(|| session.output.note(&text));
            }
            Err(error) => return Err(error),
        }
        sleep(interval).await;
    }
}

/// Says how far it is where no bar shows it.
fn tell(session: &mut Session<'_>, bar: &ProgressBar, line: &str) {
    if bar.is_hidden() {
        session.output.note(line);
    }
}

/// A bar, which is drawn only where people read, and stderr is a terminal.
fn bar(is_drawn: bool) -> ProgressBar {
    if !is_drawn {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(WHOLE);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn render(status: &DrainStatus) -> String {
    let done = if status.drained {
        format!(
            "yes, since {}; it can be switched off",
            display::time(status.drained_at.as_ref())
        )
    } else {
        "no".to_owned()
    };
    let mut text = table::facts([
        ("Node", display::text(&status.node_id)),
        ("Status", display::text(&status.status)),
        ("Progress", format!("{:.1} %", status.progress_percent)),
        (
            "Left",
            format!(
                "{} copies, {}",
                status.copies_left,
                display::size(status.bytes_left)
            ),
        ),
        (
            "At the beginning",
            format!(
                "{} copies, {}",
                status.copies_at_start,
                display::size(status.bytes_at_start)
            ),
        ),
        ("Since", display::time(status.since.as_ref())),
        (
            "To go",
            status.eta_seconds.map_or(NOTHING.to_owned(), display::span),
        ),
        (
            "Then it is",
            if status.then == REMOVE {
                "unregistered"
            } else {
                "kept"
            }
            .to_owned(),
        ),
        ("Drained", done),
    ]);
    if !status.chunks.is_empty() {
        let header = [("CHUNK LEFT", Align::Left), ("WAITS FOR", Align::Left)];
        let rows = status
            .chunks
            .iter()
            .map(|chunk| vec![display::text(&chunk.chunk_id), display::text(&chunk.reason)]);
        text.push('\n');
        text.push_str(&table::rows(&header, rows));
    }
    text
}
