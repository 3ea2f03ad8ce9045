//! Renders a line as one JSON object: `level`, `time`, `msg`, then the fields.

use serde_json::Value as Json;

use super::escape::{escape_unsafe, is_unsafe};
use super::line::Line;

/// `line` with its newline. The output is always one line and valid JSON.
pub(crate) fn render(line: &Line) -> String {
    let mut object = format!(
        "{{\"level\":\"{}\",\"time\":\"{}\",\"msg\":{}",
        line.level_name(),
        line.timestamp(),
        quoted(line.fields.message())
    );
    for (key, value) in line.fields.iter() {
        object.push_str(&format!(",{}:{}", quoted(key), safe(value.to_string())));
    }
    object.push_str("}\n");
    object
}

/// `text` as a JSON text.
pub(crate) fn quoted(text: &str) -> String {
    safe(Json::from(text).to_string())
}

/// `json` with the characters escaped that JSON may have as they are, but a terminal should not. They stand
/// inside texts only, where such an escape means the same.
pub(crate) fn safe(json: String) -> String {
    if json.contains(is_unsafe) {
        escape_unsafe(&json)
    } else {
        json
    }
}
