//! Where results and messages go: results to stdout as a table or as JSON, messages to stderr.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Answer;
use super::exit::CliError;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For machines: what the coordinator answered.
    Json,
}

impl Format {
    /// The format that was asked for; without one, what fits the reader of stdout.
    pub(crate) fn or_fitting(asked: Option<Self>) -> Self {
        asked.unwrap_or_else(|| {
            if io::stdout().is_terminal() {
                Self::Table
            } else {
                Self::Json
            }
        })
    }
}

/// The two streams of a command.
pub(crate) struct Output<'w> {
    results: &'w mut dyn Write,
    messages: &'w mut dyn Write,
    format: Format,
}

impl<'w> Output<'w> {
    /// Results to `results`, messages to `messages`.
    pub(crate) fn new(results: &'w mut dyn Write, messages: &'w mut dyn Write, format: Format) -> Self {
        Self {
            results,
            messages,
            format,
        }
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
