//! Renders a line for people: time, level, message, then `key=value`. Keys are those of the JSON form, so
//! that one search fits both.

use serde_json::Value as Json;
use tracing::Level;

use super::escape::{escape_unsafe, is_unsafe};
use super::json::{quoted, safe};
use super::line::Line;

const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// `line` with its newline; in colour if `coloured`. The output is always one line.
pub(crate) fn render(line: &Line, coloured: bool) -> String {
    let level = line.level_name().to_uppercase();
    let message = escape_unsafe(line.fields.message());
    let mut rendered = if coloured {
        format!(
            "{DIM}{}{RESET} {}{level:<5}{RESET} {message}",
            line.timestamp(),
            colour(line.level)
        )
    } else {
        format!("{} {level:<5} {message}", line.timestamp())
    };
    for (key, value) in line.fields.iter() {
        let (key, value) = (escape_unsafe(key), shown(value));
        if coloured {
            rendered.push_str(&format!(" {DIM}{key}={RESET}{value}"));
        } else {
            rendered.push_str(&format!(" {key}={value}"));
        }
    }
    rendered.push('\n');
    rendered
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG | Level::TRACE => "\u{1b}[34m",
    }
}

/// A text as it is where nobody can mistake its end, else as JSON.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) if is_one_word(text) => text.clone(),
        Json::String(text) => quoted(text),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            safe(value.to_string())
        }
    }
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '=' | '\\'))
}
