//! Sets logging up for the whole process.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::SystemTime;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{Log, LogFormat};

use super::filter::filter;
use super::layer::{Format, LineLayer};
use super::panic_hook;

const FILTER_VARIABLE: &str = "RUST_LOG";
/// When set, to anything, programs leave colours out (no-color.org).
const NO_COLOUR_VARIABLE: &str = "NO_COLOR";

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoggingError {
    /// RUST_LOG is not understood.
    #[error("environment variable RUST_LOG: {0}; unset it, or write it like warn,coordinator=debug")]
    Filter(#[from] ParseError),
    /// Logging is set up already.
    #[error("logging is set up already: {0}")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts logging to stderr as `log` says. `RUST_LOG` in `environment` overrides the level; panics are logged
/// too, so that every line has the same form.
///
/// # Errors
/// `LoggingError` when `RUST_LOG` is not understood, or logging is set up already.
pub(crate) fn init(log: &Log, environment: &BTreeMap<String, String>) -> Result<(), LoggingError> {
    let set = |name: &str| {
        environment
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let format = choose_format(
        log.format,
        io::stderr().is_terminal(),
        set(NO_COLOUR_VARIABLE).is_some(),
    );
    let layer = LineLayer::new(format, io::stderr, SystemTime::now);
    let subscriber = tracing_subscriber::registry()
        .with(filter(log.level, set(FILTER_VARIABLE))?)
        .with(layer);
    tracing::subscriber::set_global_default(subscriber)?;
    panic_hook::install();
    Ok(())
}

fn choose_format(format: LogFormat, on_terminal: bool, no_colour: bool) -> Format {
    let text = Format::Text {
        coloured: on_terminal && !no_colour,
    };
    match format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => text,
        LogFormat::Auto if on_terminal => text,
        LogFormat::Auto => Format::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, LogFormat, choose_format};

    #[test]
    fn auto_is_text_on_a_terminal_only_and_colour_is_for_terminals() {
        let plain = Format::Text { coloured: false };
        let coloured = Format::Text { coloured: true };
        assert_eq!(choose_format(LogFormat::Auto, true, false), coloured);
        assert_eq!(choose_format(LogFormat::Auto, true, true), plain);
        assert_eq!(choose_format(LogFormat::Auto, false, false), Format::Json);
        assert_eq!(choose_format(LogFormat::Text, false, false), plain);
        assert_eq!(choose_format(LogFormat::Text, true, false), coloured);
        assert_eq!(choose_format(LogFormat::Json, true, false), Format::Json);
    }
}
