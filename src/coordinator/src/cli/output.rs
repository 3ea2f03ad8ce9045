//! Where results and messages go: results to stdout as a table or as JSON, messages to stderr.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Answer;
use super::exit::CliError;

// What terminals do when they are sent these. Lines are overwritten rather than cleared first, so that nothing flickers.
const CLEAR: &str = "\x1b[2J";
const HOME: &str = "\x1b[H";
const CLEAR_REST_OF_LINE: &str = "\x1b[K\n";
const CLEAR_BELOW: &str = "\x1b[J";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For machines: what the coordinator answered.
    Json,
}

/// Where a command writes, before it is known how.
pub(crate) struct Streams<'w> {
    /// For results.
    pub(crate) results: &'w mut dyn Write,
    /// For messages.
    pub(crate) messages: &'w mut dyn Write,
    /// Whether people read the results as they come.
    pub(crate) is_terminal: bool,
}

/// The two streams of a command.
pub(crate) struct Output<'w> {
    results: &'w mut dyn Write,
    messages: &'w mut dyn Write,
    format: Format,
    is_terminal: bool,
    /// Whether a screen was drawn.
    has_screen: bool,
}

impl<'w> Output<'w> {
    /// Output in the format that was asked for; without one, in what fits the reader of the results.
    pub(crate) fn new(streams: Streams<'w>, asked: Option<Format>) -> Self {
        let Streams {
            results,
            messages,
            is_terminal,
        } = streams;
        let fitting = if is_terminal { Format::Table } else { Format::Json };
        Self {
            results,
            messages,
            format: asked.unwrap_or(fitting),
            is_terminal,
            has_screen: false,
        }
    }

    /// How results are printed.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Whether a screen takes the place of the one before.
    pub(crate) fn is_redrawn(&self) -> bool {
        self.is_terminal && self.format == Format::Table
    }

    /// Prints an answer: as it came, or as the table that `render` makes of it.
    ///
    /// # Errors
    /// `Unintelligible` when a table is wanted and the answer is no `T`; `Output`.
    pub(crate) fn answer<T: DeserializeOwned>(
        &mut self,
        answer: &Answer,
        render: impl FnOnce(T) -> String,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(&answer.body),
            Format::Table => {
                let table = render(answer.read()?);
                self.text(&table)
            }
        }
    }

    /// Prints a result of the command's own making.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn result<T: Serialize>(
        &mut self,
        result: &T,
        render: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(result),
            Format::Table => self.text(&render(result)),
        }
    }

    /// Prints text, whatever the format.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        self.results.write_all(text.as_bytes())?;
        Ok(self.results.flush()?)
    }

    /// Prints a value as one line of JSON.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        self.text(&(text + "\n"))
    }

    /// Prints lines in the place of those before, on a terminal; below them elsewhere.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn screen(&mut self, lines: &str) -> Result<(), CliError> {
        let is_first = !std::mem::replace(&mut self.has_screen, true);
        if self.is_redrawn() {
            let begin = if is_first { CLEAR } else { "" };
            let lines = lines.replace('\n', CLEAR_REST_OF_LINE);
            self.text(&format!("{begin}{HOME}{lines}{CLEAR_BELOW}"))
        } else {
            let gap = if is_first { "" } else { "\n" };
            self.text(&format!("{gap}{lines}"))
        }
    }

    /// A message to the person at the terminal.
    pub(crate) fn note(&mut self, message: &str) {
        // With stderr closed nobody is there to be told.
        let _ = writeln!(self.messages, "coordinator: {message}");
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let mut text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        text.push('\n');
        self.text(&text)
    }
}
