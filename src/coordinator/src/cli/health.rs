//! `coordinator health`: asks a replica for its health, for container health checks in images without a shell.

use std::time::Duration;

use clap::Args;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::client;
use super::display;
use super::exit::CliError;
use super::output::{Format, Output};
use super::settings;
use super::table;
use super::values;
use crate::config::ConfigArgs;

/// Ask a replica for its health: exit code 0 if it is well, 1 if not
#[derive(Args)]
pub(crate) struct HealthCommand {
    /// What to ask [default: /health at the metrics port of the configuration, on this host]
    #[arg(long)]
    url: Option<Url>,
    /// How the result is printed [default: table on a terminal, json elsewhere]
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// How long to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::timeout)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    status: String,
    #[serde(default)]
    checks: Value,
}

/// Asks, and prints the answer.
///
/// # Errors
/// `Unhealthy` unless the answer is 200; `Local` and `Config` when nobody can be asked.
pub(crate) async fn run(command: HealthCommand, output: &mut Output<'_>) -> Result<(), CliError> {
    let url = match command.url {
        Some(url) => url,
        None => default_url(&command.config)?,
    };
    let shown = url.to_string();
    let (status, body) = client::ask_once(url, command.timeout)
        .await
        .map_err(|reason| CliError::Unhealthy(format!("{shown} did not tell its health: {reason}")))?;
    if let Ok(body) = serde_json::from_slice::<Value>(&body) {
        output.result(&body, |body| match Health::deserialize(body) {
            Ok(health) => render(&health),
            Err(_) => display::escaped(&body.to_string()) + "\n",
        })?;
    }
    if status == StatusCode::OK {
        return Ok(());
    }
    Err(CliError::Unhealthy(format!("{shown} is not well: HTTP {status}")))
}

/// Where a replica with this configuration tells its health.
fn default_url(args: &ConfigArgs) -> Result<Url, CliError> {
    let health = settings::load(args)?.config.health;
    if !health.metrics_enabled {
        return Err(CliError::Local(
            "health.metrics_enabled is false, so nothing tells the replica's health; name what to ask with --url"
                .to_owned(),
        ));
    }
    let text = format!("http://127.0.0.1:{}/health", health.metrics_port);
    Url::parse(&text).map_err(|error| CliError::Local(format!("{text} is no URL: {error}")))
}

fn render(health: &Health) -> String {
    let mut lines = vec![vec!["health".to_owned(), display::text(&health.status)]];
    match &health.checks {
        Value::Object(checks) => lines.extend(checks.iter().map(|(name, check)| line(name, check))),
        Value::Array(checks) => lines.extend(checks.iter().map(|check| line(word(&check["name"]), check))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    table::lines(lines)
}

/// A check's name, its state, and what else it says.
fn line(name: &str, check: &Value) -> Vec<String> {
    let (state, details) = match check {
        Value::Object(fields) => {
            let told = ["message", "details", "detail", "error", "reason"];
            let details = told
                .iter()
                .filter_map(|field| fields.get(*field))
                .find_map(Value::as_str);
            (word(&check["status"]), details.unwrap_or_default())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            (word(check), "")
        }
    };
    vec![
        display::text(name),
        display::text(state),
        display::escaped(details),
    ]
}

fn word(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        Value::Bool(true) => "ok",
        Value::Bool(false) => "failed",
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => "",
    }
}
