//! `coordinator watch`: what changes, line by line, as it changes.
//!
//! It outlives the replica that it hears it from: another one goes on where that one ended.

mod attempts;
mod place;
mod sse;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::arguments::ClientArgs;
use super::client::Request;
use super::display::escaped;
use super::exit::CliError;
use super::output::Format;
use super::session::Session;
use super::values;
use attempts::Attempts;
use place::Place;
use sse::{Event, Events};

/// Show what changes, as it changes, until it is interrupted
#[derive(Debug, Args)]
pub(crate) struct WatchCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// Only these kinds of changes
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = ["node", "file", "chunk", "task", "cluster"])]
    kinds: Vec<String>,
    /// Only changes of this node, file, chunk or task; may be given more than once
    #[arg(long = "id", value_name = "ID", value_parser = values::id)]
    ids: Vec<String>,
    /// Only what changes after this index [default: from now on]
    #[arg(long, value_name = "INDEX", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    after: Option<u64>,
}

/// The last words of a stream.
#[derive(Debug, Deserialize)]
struct Ending {
    error: String,
    details: String,
}

/// How one connection ended.
enum End {
    /// It can go on: why it ended.
    Interrupted(String),
    /// What comes next is forgotten where it was asked for, in words.
    Forgotten(String),
    /// It cannot go on.
    Failed(CliError),
}

impl From<CliError> for End {
    fn from(error: CliError) -> Self {
        Self::Failed(error)
    }
}

impl WatchCommand {
    /// Shows what changes until nobody reads it any more.
    ///
    /// # Errors
    /// Any [`CliError`] but `Unavailable`.
    pub(crate) async fn run(&self, session: &mut Session<'_>) -> Result<(), CliError> {
        let mut place = Place::new(self.after);
        let mut attempts = Attempts::default();
        let mut forgotten = None;
        loop {
            let before = place.clone();
            let end = self.watch_once(session, &mut place).await;
            if place.is_beyond(&before) {
                attempts = Attempts::default();
            }
            let problem = match end {
                End::Failed(CliError::Unavailable { attempts }) => format!("no replica answers: {attempts}"),
                End::Failed(error) => return Err(error),
                End::Interrupted(reason) => {
                    session.turn_to_the_next();
                    format!("{reason}; going on")
                }
                // Another replica may still have it. If this happens twice at one place, none does.
                End::Forgotten(reason) => {
                    if forgotten.replace(place.after) == Some(place.after) {
                        return Err(CliError::Refused(reason));
                    }
                    session.turn_to_the_next();
                    format!("{reason}; asking whether a replica still has it")
                }
            };
            let (pause, is_news) = attempts.failed(&problem);
            if is_news {
                session.output.note(&problem);
            }
            place.go_on();
            sleep(pause).await;
        }
    }

    async fn watch_once(&self, session: &mut Session<'_>, place: &mut Place) -> End {
        let mut stream = match session.open(&self.request(place.after)).await {
            Ok(stream) => stream,
            Err(error) => return End::Failed(error),
        };
        let mut events = Events::default();
        loop {
            let part = match stream.next().await {
                Ok(Some(part)) => part,
                Ok(None) => return End::Interrupted(format!("{} ended the stream", stream.url)),
                Err(reason) => return End::Interrupted(format!("{}: {reason}", stream.url)),
            };
            let whole = events.take(&part).map_err(|problem| CliError::Unintelligible {
                url: stream.url.clone(),
                problem,
            });
            let whole = match whole {
                Ok(whole) => whole,
                Err(error) => return End::Failed(error),
            };
            for event in whole {
                if let Err(end) = show(session, &stream.url, event, place) {
                    return end;
                }
            }
        }
    }

    fn request(&self, after: Option<u64>) -> Request<'static> {
        let mut request = Request::get(["watch"]);
        if let Some(after) = after {
            request = request.query("after", after.to_string());
        }
        if !self.kinds.is_empty() {
            request = request.query("kinds", self.kinds.join(","));
        }
        for id in &self.ids {
            request = request.query("id", id.as_str());
        }
        request
    }
}

/// Shows an event, unless it was shown before.
fn show(session: &mut Session<'_>, url: &str, event: Event, place: &mut Place) -> Result<(), End> {
    let Event { id, name, data } = event;
    let unintelligible = |problem: String| CliError::Unintelligible {
        url: url.to_owned(),
        problem,
    };
    if let Some(data) = data {
        let mut value: Value =
            serde_json::from_str(&data).map_err(|error| unintelligible(error.to_string()))?;
        if name == "error" {
            return Err(ending(value).unwrap_or_else(|error| End::Failed(unintelligible(error))));
        }
        let index = value["index"].as_u64();
        let index = index.ok_or_else(|| unintelligible("an event has no index".to_owned()))?;
        if place.is_new(index) {
            match session.output.format() {
                Format::Json => {
                    value["resume_after"] = id
                        .as_deref()
                        .and_then(|id| id.parse().ok())
                        .unwrap_or(index.saturating_sub(1))
                        .into();
                    session.output.json_line(&value)?;
                }
                Format::Table => session.output.text(&line_of(&value))?,
            }
        }
    }
    if let Some(id) = id {
        let after = id
            .parse()
            .map_err(|_| unintelligible(format!("{id:?} is no index")))?;
        place.reached(after);
    }
    Ok(())
}

/// What the last words mean. What is forgotten cannot be gone on from there; everything else can.
fn ending(value: Value) -> Result<End, String> {
    let Ending { error, details } = Ending::deserialize(value).map_err(|error| error.to_string())?;
    let text = escaped(&format!("{error}: {details}"));
    Ok(if error == "too old" {
        End::Forgotten(text)
    } else {
        End::Interrupted(text)
    })
}

/// A change as people read it: when, where, what, and whatever else is said of it.
pub(crate) fn line_of(change: &Value) -> String {
    let text = |name: &str| change[name].as_str().unwrap_or_default();
    let kind = text("kind");
    // What a change is about, and what comes with it.
    let own = match kind {
        "node" => "node_id",
        "file" => "file_id",
        "chunk" => "chunk_id",
        "task" => "task_id",
        _ => "",
    };
    let mut line = format!("{}  {}  {kind} {}", text("at"), change["index"], text("change"));
    if let Some(id) = change[own].as_str() {
        line.push(' ');
        line.push_str(&escaped(id));
    }
    let rest = change.as_object().into_iter().flatten();
    let rest = rest.filter(|(name, _)| !["at", "index", "kind", "change", own].contains(&name.as_str()));
    for (name, value) in rest {
        let value = match (name.as_str(), value) {
            ("replicas", Value::Array(replicas)) => {
                let words = replicas.iter().map(|replica| {
                    let word = |name: &str| replica[name].as_str().unwrap_or_default();
                    format!("{}:{}", word("node_id"), word("state"))
                });
                words.collect::<Vec<_>>().join(",")
            }
            (_, Value::String(text)) => text.clone(),
            (_, Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                names.collect::<Vec<_>>().join(",")
            }
            (_, value) => value.to_string(),
        };
        line.push_str(&format!("  {name}={}", escaped(&value)));
    }
    line.push('\n');
    line
}
