//! Prints the configuration: the effective one as YAML, and the reference of all settings as a Markdown
//! table.

use serde_json::Value as Json;

use super::effective::{Effective, Origin};
use super::place::Place;
use super::setting::{DefaultValue, Setting};
use super::table::SETTINGS;
use super::value::Value;

/// The values as a YAML file that sets the same again, secrets apart: those are masked. A comment tells where
/// each value came from unless it is the default.
pub(crate) fn effective_yaml(effective: &Effective) -> String {
    let mut yaml = String::new();
    let mut open_section = "";
    for setting in SETTINGS {
        let Some(origin) = effective.get(setting.key) else {
            continue;
        };
        let (section, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if section != open_section {
            open_section = section;
            yaml.push_str(&format!("{section}:\n"));
        }
        let indent = if section.is_empty() { "" } else { "  " };
        yaml.push_str(&format!("{indent}{}\n", line(name, origin)));
    }
    yaml
}

/// All settings as a Markdown table: key, default, environment variable, flag, meaning.
pub(crate) fn markdown_table() -> String {
    let mut table =
        String::from("| key | default | environment | flag | meaning |\n| --- | --- | --- | --- | --- |\n");
    for setting in SETTINGS {
        table.push_str(&row(setting));
    }
    table
}

fn line(name: &str, origin: &Origin) -> String {
    let comment = match &origin.place {
        Place::Default => String::new(),
        place => format!("  # {place}"),
    };
    match scalar(&origin.value) {
        Some(scalar) => format!("{name}: {scalar}{comment}"),
        None => format!("# {name} is not set{comment}"),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Nothing => None,
        Value::Switch(_) | Value::Whole(_) | Value::Ratio(_) | Value::Duration(_) => Some(value.to_string()),
        // JSON texts are YAML texts.
        Value::Text(_) | Value::Secret(_) => Some(Json::String(value.to_string()).to_string()),
        Value::List(_) => Some(value.to_json().to_string()),
    }
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        DefaultValue::Text(text) => format!("`{text}`"),
        DefaultValue::Derived(how) => how.to_owned(),
        DefaultValue::Nothing => String::new(),
    };
    let flag = setting.flag.map(|flag| format!("`--{flag}`")).unwrap_or_default();
    format!(
        "| `{}` | {default} | {} | {flag} | {} |\n",
        setting.key,
        setting.env.unwrap_or_default(),
        setting.meaning
    )
}
