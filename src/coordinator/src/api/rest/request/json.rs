//! JSON into types, with errors that name the field.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::api::rest::failure::Failure;

/// Reads a whole text as one JSON value.
///
/// # Errors
/// 400: malformed JSON, or a value that does not fit, by its path.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // Text that no field takes is skipped unread, so that it is checked here.
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner();
        match problem.classify() {
            Category::Data if path == "." => Failure::invalid(format!("body: {problem}")),
            Category::Data => Failure::invalid(format!("{path}: {problem}")),
            Category::Syntax | Category::Eof | Category::Io => malformed(&problem),
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(problem: &dyn fmt::Display) -> Failure {
    Failure::new(
        axum::http::StatusCode::BAD_REQUEST,
        "malformed JSON",
        format!("body: {problem}"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::read;
    use crate::api::rest::object::Object;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Object<Inner>>,
        map: Option<BTreeMap<String, String>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        size: i64,
    }

    fn problem(text: &[u8]) -> String {
        format!("{:?}", read::<Object<Outer>>(text).expect_err("must be refused"))
    }

    #[test]
    fn unknown_fields_are_ignored_and_optional_ones_may_be_null() {
        let text =
            br#" {"name": "a", "new": [1, {"x": null}], "inner": [{"size": 1, "y": 2}], "map": null} "#;
        let expected = Outer {
            name: "a".to_owned(),
            inner: vec![Object(Inner { size: 1 })],
            map: None,
        };
        assert_eq!(read::<Object<Outer>>(text).unwrap(), Object(expected));
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        for (text, expected) in [
            (
                r#"{"name": 7}"#,
                "name: invalid type: integer `7`, expected a string",
            ),
            (r#"{}"#, "body: missing field `name`"),
            (r#"{"name": null}"#, "name: invalid type: null"),
            (
                r#"{"name": "a", "inner": [{"size": 1}, {"size": "x"}]}"#,
                "inner[1].size: invalid type: string",
            ),
            (
                r#"{"name": "a", "inner": [{"size": 1}, {}]}"#,
                "inner[1]: missing field `size`",
            ),
            (
                r#"{"name": "a", "inner": [[1]]}"#,
                "inner[0]: invalid type: sequence, expected an object",
            ),
            (
                r#"{"name": "a", "inner": [{"size": 1.5}]}"#,
                "inner[0].size: invalid type: floating point",
            ),
            (
                r#"{"name": "a", "inner": [{"size": 9223372036854775808}]}"#,
                "inner[0].size: invalid value",
            ),
            (r#"{"name": "a", "name": "b"}"#, "duplicate field `name`"),
            (
                r#"{"name": "a", "map": {"k": 1}}"#,
                "map.k: invalid type: integer",
            ),
            (r#"["a"]"#, "body: invalid type: sequence, expected an object"),
            (r#""a""#, "body: invalid type: string"),
            ("null", "body: invalid type: null, expected an object"),
        ] {
            let problem = problem(text.as_bytes());
            assert!(problem.contains(expected), "{text}: {problem}");
            assert!(problem.contains("invalid request"), "{text}: {problem}");
        }
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = "[".repeat(100_000);
        for text in [
            &b"{"[..],
            b"{\"name\": \"a\"} x",
            b"{'name': 1}",
            b"{\"name\": \"a\", \"new\": \"\xff\"}",
            b"{\"name\": \"\\ud800\"}",
            b"\xef\xbb\xbf{}",
            format!("{{\"new\": {deep}").as_bytes(),
        ] {
            let problem = problem(text);
            assert!(problem.contains("malformed JSON"), "{problem}");
        }
    }

    #[test]
    fn an_endless_value_is_not_quoted_in_full() {
        let text = format!(r#"{{"name": "a", "inner": "{}"}}"#, "x".repeat(100_000));
        assert!(problem(text.as_bytes()).len() < 2_000);
    }
}
