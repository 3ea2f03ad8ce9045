//! Which events are logged: ours from the configured level on, those of dependencies from `warn` on, since
//! their chatter is of no use to an operator.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::LogLevel;

/// What the targets of our own crates start with.
const OWN_TARGETS: [&str; 2] = ["coordinator", "zephyrfs"];

/// Whether events of `target` come from our own crates.
pub(crate) fn is_own(target: &str) -> bool {
    OWN_TARGETS.iter().any(|own| target.starts_with(own))
}

/// The filter for `level`; `rust_log`, in the syntax of `RUST_LOG`, replaces it as a whole.
///
/// # Errors
/// `ParseError` when `rust_log` is not in that syntax.
pub(crate) fn filter(level: LogLevel, rust_log: Option<&str>) -> Result<EnvFilter, ParseError> {
    let directives = match rust_log {
        Some(directives) => directives.to_owned(),
        None => directives(level),
    };
    EnvFilter::builder().parse(directives)
}

fn directives(level: LogLevel) -> String {
    let (own, others) = match level {
        LogLevel::Debug => ("debug", "warn"),
        LogLevel::Info => ("info", "warn"),
        LogLevel::Warn => ("warn", "warn"),
        LogLevel::Error => ("error", "error"),
    };
    // A peer that is down is normal life, and openraft warns of every attempt to reach it. What operators need to know of
    // it the engine says itself; what ends it reaches the engine as an error.
    let quiet = match level {
        LogLevel::Debug => "warn",
        LogLevel::Info | LogLevel::Warn | LogLevel::Error => "off",
    };
    let others = format!("{others},openraft={quiet}");
    OWN_TARGETS.iter().fold(others, |directives, target| {
        format!("{directives},{target}={own}")
    })
}
