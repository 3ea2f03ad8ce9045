//! The replicas, again and again: on a terminal one screen that is drawn anew, elsewhere one status after the other.
//!
//! Made for looking on while replicas fail: it goes on when nobody answers.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use super::status::{ClusterStatus, render};
use crate::cli::client::{Answer, Request};
use crate::cli::display;
use crate::cli::exit::CliError;
use crate::cli::output::Format;
use crate::cli::session::Session;

/// Nobody who watches waits longer for one answer, whatever else they are willing to wait for.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// What was seen last.
struct Seen {
    by: String,
    at: SystemTime,
    table: String,
}

/// Shows the status every `interval`, until nobody reads it any more.
///
/// # Errors
/// Any [`CliError`] but `Unavailable`.
pub(super) async fn run(session: &mut Session<'_>, interval: Duration) -> Result<(), CliError> {
    let mut seen: Option<Seen> = None;
    loop {
        let next = Instant::now() + interval;
        match session.ask(&Request::get(["cluster"])).await {
            Ok(answer) => seen = Some(show(session, &answer)?),
            Err(CliError::Unavailable { attempts }) => lament(session, &attempts, seen.as_ref())?,
            Err(error) => return Err(error),
        }
        sleep_until(next).await;
    }
}

fn show(session: &mut Session<'_>, answer: &Answer) -> Result<Seen, CliError> {
    let status: ClusterStatus = answer.read()?;
    let seen = Seen {
        by: answer.url().to_owned(),
        at: SystemTime::now(),
        table: render(&status),
    };
    match session.output.format() {
        Format::Json => session.output.json_line(&answer.body)?,
        Format::Table => session.output.screen(&seen.to_string())?,
    }
    Ok(seen)
}

/// Says that nobody answers: on a screen above what was seen last, elsewhere among the messages.
fn lament(session: &mut Session<'_>, attempts: &str, seen: Option<&Seen>) -> Result<(), CliError> {
    let problem = format!("no replica answers: {attempts}");
    if !session.output.is_redrawn() {
        session.output.note(&problem);
        return Ok(());
    }
    let now = display::in_utc(SystemTime::now());
    let before = seen.map_or_else(String::new, |seen| format!("\n Seen last:\n\n{seen}"));
    session.output.screen(&format!(" {now}  {problem}\n{before}"))
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { by, at, table } = self;
        write!(f, " {}  as {by} sees it\n\n{table}", display::in_utc(*at))
    }
}
