//! Whole commands, from the words of the command line to the requests, the streams and the exit code.

mod changes;
mod commands;
mod drains;
mod failures;
mod files;
mod parsing;
mod watch;

use std::ffi::OsString;

use clap::Parser;

use super::output::Streams;
use super::testing::FakeServer;
use super::{Cli, Command, run_tool};

/// What a command left behind.
#[derive(Debug)]
struct Finished {
    code: u8,
    results: String,
    messages: String,
}

impl Finished {
    fn json(&self) -> serde_json::Value {
        assert_eq!((self.code, self.messages.as_str()), (0, ""), "{self:?}");
        serde_json::from_str(&self.results).unwrap()
    }

    fn table(&self) -> &str {
        assert_eq!((self.code, self.messages.as_str()), (0, ""), "{self:?}");
        &self.results
    }
}

/// Runs a command with these words.
fn run(words: impl IntoIterator<Item = impl Into<OsString>>) -> Finished {
    let words = std::iter::once("coordinator".into()).chain(words.into_iter().map(Into::into));
    let Some(Command::Tool(tool)) = Cli::try_parse_from(words).map(|cli| cli.command).unwrap() else {
        panic!("this would start the server");
    };
    let (mut results, mut messages) = (Vec::new(), Vec::new());
    let streams = Streams {
        results: &mut results,
        messages: &mut messages,
        is_terminal: false,
    };
    let code = run_tool(tool, streams);
    Finished {
        code,
        results: String::from_utf8(results).unwrap(),
        messages: String::from_utf8(messages).unwrap(),
    }
}

/// Runs a command of words between spaces against `server`.
fn ask(server: &FakeServer, format: &str, line: &str) -> Finished {
    let url = server.url();
    let options = ["--endpoint", &url, "-o", format, "--timeout", "5s"];
    run(line.split(' ').chain(options))
}
