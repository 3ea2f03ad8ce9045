//! The options that commands share: where the coordinator is, how results are printed, how a write is repeated.

use std::time::Duration;

use clap::Args;

use super::client::{Endpoints, IdempotencyKey, Repetition};
use super::output::Format;
use super::values;

const HEADING: &str = "Coordinator";

/// The options of every command that asks a coordinator. They may stand anywhere after the command's first word.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClientArgs {
    /// REST endpoint of any replica; of a comma list the next is asked when one cannot answer
    #[arg(
        long,
        env = "COORDINATOR_ENDPOINT",
        value_name = "URL",
        default_value = "http://127.0.0.1:8090",
        help_heading = HEADING,
        global = true
    )]
    pub(crate) endpoint: Endpoints,
    /// How the result is printed [default: table on a terminal, json elsewhere]
    #[arg(short, long, value_name = "FORMAT", help_heading = HEADING, global = true)]
    pub(crate) output: Option<Format>,
    /// How long to wait for an answer, over all endpoints and repetitions
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = values::timeout,
        help_heading = HEADING,
        global = true
    )]
    pub(crate) timeout: Duration,
}

/// The options of commands that write.
#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Makes repeating the command safe when its outcome is unknown: the key that was printed then
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
}

impl WriteArgs {
    /// A write that is repeated with the key that was given, or else a new one.
    pub(crate) fn repetition(self) -> Repetition {
        Repetition::Keyed(self.idempotency_key.unwrap_or_else(IdempotencyKey::random))
    }
}

/// The options of commands that list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// How many items at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) limit: u32,
    /// Where to go on: the next_page_token of the list before
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,
}
