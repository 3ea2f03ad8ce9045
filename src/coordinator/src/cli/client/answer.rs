//! What an HTTP answer means for a command: a result, or the reason why there is none.

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::display::escaped;
use crate::cli::exit::CliError;

/// As much of an answer that is no JSON as an error shows.
const MAX_QUOTED: usize = 200;

/// A result.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Who gave it.
    pub(super) url: String,
    /// The JSON, as it came.
    pub(crate) body: Value,
}

/// The fields that say why a request failed: domain outcomes have a message, transport errors the other two.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure {
    success: Option<bool>,
    message: Option<String>,
    error: Option<String>,
    details: Option<String>,
}

impl Answer {
    /// Understands the answer of `url`.
    ///
    /// # Errors
    /// `NotFound`, `Refused` or `Unintelligible`. Which statuses promise that nothing happened is the caller's
    /// business.
    pub(super) fn new(url: String, status: StatusCode, body: &[u8]) -> Result<Self, CliError> {
        let json = serde_json::from_slice::<Value>(body);
        let failure = json
            .as_ref()
            .ok()
            .and_then(|value| Failure::deserialize(value).ok());
        let failed = failure.as_ref().and_then(|failure| failure.success) == Some(false);
        if !status.is_success() || failed {
            let text = explanation(failure.as_ref(), status, body);
            let text = format!("{text} (HTTP {} from {url})", status.as_u16());
            return Err(if status == StatusCode::NOT_FOUND {
                CliError::NotFound(text)
            } else {
                CliError::Refused(text)
            });
        }
        match json {
            Ok(body) => Ok(Self { url, body }),
            Err(error) => Err(CliError::Unintelligible {
                url,
                problem: format!("it is no JSON: {error}"),
            }),
        }
    }

    /// Who gave it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same with another body, such as one gathered from several answers.
    pub(crate) fn with_body(self, body: Value) -> Self {
        Self { url: self.url, body }
    }

    /// The answer as `T`.
    ///
    /// # Errors
    /// `Unintelligible` when it is something else.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        T::deserialize(&self.body).map_err(|error| CliError::Unintelligible {
            url: self.url.clone(),
            problem: error.to_string(),
        })
    }
}

/// Why the answer is no result, in the coordinator's own words where it has some.
pub(super) fn explain(status: StatusCode, body: &[u8]) -> String {
    let failure = serde_json::from_slice(body).ok();
    explanation(failure.as_ref(), status, body)
}

fn explanation(failure: Option<&Failure>, status: StatusCode, body: &[u8]) -> String {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let told = failure.and_then(|failure| {
        text(&failure.message).or_else(|| match (text(&failure.error), text(&failure.details)) {
            (Some(error), Some(details)) => Some(format!("{error}: {details}")),
            (error, details) => error.or(details),
        })
    });
    let told = told.unwrap_or_else(|| {
        let quoted: String = String::from_utf8_lossy(body)
            .trim()
            .chars()
            .take(MAX_QUOTED)
            .collect();
        let name = status.canonical_reason().unwrap_or("an unknown status");
        if quoted.is_empty() {
            name.to_owned()
        } else {
            format!("{name}: {quoted}")
        }
    });
    escaped(&told)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::{Answer, explain};
    use crate::cli::exit::CliError;

    fn answer(status: u16, body: &str) -> Result<Answer, CliError> {
        Answer::new(
            "http://h".to_owned(),
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
        )
    }

    #[test]
    fn outcomes_become_exit_codes() {
        for (status, body, code) in [
            (404, r#"{"success":false,"message":"no such file"}"#, 3),
            (404, r#"{"error":"node not found","details":"node-1"}"#, 3),
            (200, r#"{"success":false,"message":"no"}"#, 2),
            (507, r#"{"success":false,"message":"no node has room"}"#, 2),
            (
                400,
                r#"{"error":"invalid request","details":"limit: must not be negative"}"#,
                2,
            ),
            (500, "", 2),
            (307, "", 2),
            (200, "<html>", 2),
        ] {
            assert_eq!(answer(status, body).unwrap_err().code(), code, "{status} {body}");
        }
        assert!(answer(201, r#"{"success":true,"message":""}"#).is_ok());
        assert!(answer(200, r#"{"items":[]}"#).is_ok());
    }

    #[test]
    fn the_coordinators_words_are_passed_on() {
        let text = |body: &str| explain(StatusCode::BAD_GATEWAY, body.as_bytes());
        assert_eq!(text(r#"{"message":"m","error":"e"}"#), "m");
        assert_eq!(text(r#"{"message":"","error":"e","details":"d"}"#), "e: d");
        assert_eq!(text(r#"{"error":"e"}"#), "e");
        assert_eq!(text("a\u{1b}[31m\nb"), "Bad Gateway: a\\u{1b}[31m\\nb");
        assert_eq!(text(""), "Bad Gateway");
        assert!(text(&"x".repeat(100_000)).len() < 300);
    }

    #[test]
    fn an_answer_of_another_shape_is_not_understood() {
        let error = answer(200, r#"{"items":3}"#)
            .unwrap()
            .read::<Vec<String>>()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("http://h gave an answer that is not understood"),
            "{error}"
        );
    }
}
