//! Replaces `${NAME}` in the values of the file by environment variables. It runs on values that are already
//! parsed, so that nothing in the environment can add keys or otherwise be taken for YAML; and it runs once,
//! so that a `${` inside a variable stays as it is. `$${` stands for the characters `${`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A reference that cannot be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReferenceError {
    /// The variable of this name is not set.
    Unset(String),
    /// No name and closing brace follow the `${`.
    Malformed,
}

/// `raw` with the references in its texts, and in those of a list, replaced.
///
/// # Errors
/// `ReferenceError` for the first reference that cannot be replaced.
pub(crate) fn expand(raw: &Json, environment: &BTreeMap<String, String>) -> Result<Json, ReferenceError> {
    match raw {
        Json::String(text) => expand_text(text, environment).map(Json::String),
        Json::Array(items) => {
            let items: Result<Vec<Json>, _> = items.iter().map(|item| expand(item, environment)).collect();
            items.map(Json::Array)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => Ok(raw.clone()),
    }
}

fn expand_text(text: &str, environment: &BTreeMap<String, String>) -> Result<String, ReferenceError> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').ok_or(ReferenceError::Malformed)?;
        if !is_variable_name(name) {
            return Err(ReferenceError::Malformed);
        }
        let value = environment
            .get(name)
            .ok_or_else(|| ReferenceError::Unset(name.to_owned()))?;
        expanded.push_str(before);
        expanded.push_str(value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{ReferenceError, expand};

    fn environment() -> BTreeMap<String, String> {
        [("HOST", "db"), ("NESTED", "${HOST}"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn references_are_replaced_once_wherever_they_stand() {
        for (text, expected) in [
            ("${HOST}", "db"),
            ("a${HOST}b${HOST}", "adbbdb"),
            ("${NESTED}", "${HOST}"),
            ("x${EMPTY}y", "xy"),
            ("$HOST $ {HOST} }", "$HOST $ {HOST} }"),
            ("$${HOST} ${HOST}", "${HOST} db"),
        ] {
            assert_eq!(
                expand(&json!(text), &environment()),
                Ok(json!(expected)),
                "{text}"
            );
        }
        assert_eq!(
            expand(&json!(["${HOST}", 1, null]), &environment()),
            Ok(json!(["db", 1, null]))
        );
    }

    #[test]
    fn an_unset_variable_is_named() {
        let unset = Err(ReferenceError::Unset("MISSING".to_owned()));
        assert_eq!(expand(&json!("a${HOST}${MISSING}"), &environment()), unset);
        assert_eq!(expand(&json!(["${MISSING}"]), &environment()), unset);
    }

    #[test]
    fn a_reference_without_a_name_is_refused() {
        for text in ["${", "${HOST", "${}", "${1A}", "${HOST:-x}", "${ HOST }"] {
            assert_eq!(
                expand(&json!(text), &environment()),
                Err(ReferenceError::Malformed),
                "{text}"
            );
        }
    }
}
