//! Tests of the lines that come out, whatever goes in.

mod filtering;
mod json_lines;
mod process;
mod spans;
mod text_lines;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::layer::{Format, LineLayer};

/// What was written, in pieces as they came.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<Vec<u8>>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 2026-11-22T17:30:00.123Z
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_795_368_600_123)
}

/// The lines that `act` logs. Each must have been written in one piece.
fn lines_at(now: fn() -> SystemTime, format: Format, filter: EnvFilter, act: impl FnOnce()) -> Vec<String> {
    let output = Output::default();
    let writers = {
        let output = output.clone();
        move || output.clone()
    };
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(LineLayer::new(format, writers, now));
    tracing::subscriber::with_default(subscriber, act);
    let pieces = output.0.lock().unwrap();
    let lines = pieces
        .iter()
        .map(|piece| String::from_utf8(piece.clone()).unwrap());
    lines
        .inspect(|line| {
            assert!(
                line.ends_with('\n') && line.matches('\n').count() == 1,
                "{line:?}"
            )
        })
        .map(|line| line.trim_end_matches('\n').to_owned())
        .collect()
}

fn lines(format: Format, act: impl FnOnce()) -> Vec<String> {
    lines_at(noon, format, EnvFilter::new("trace"), act)
}

/// The one line that `act` logs, as JSON text.
fn json_line(act: impl FnOnce()) -> String {
    let mut lines = lines(Format::Json, act);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// The one line that `act` logs, parsed.
fn parsed(act: impl FnOnce()) -> Json {
    serde_json::from_str(&json_line(act)).unwrap()
}
