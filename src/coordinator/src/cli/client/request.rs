//! A request to the REST API, and whether it may be sent more than once.

use std::fmt;
use std::str::FromStr;

use reqwest::Method;
use serde::Serialize;

/// Longest key that the coordinator takes by default, in bytes.
const MAX_KEY_LENGTH: usize = 256;

/// One request.
#[derive(Debug)]
pub(crate) struct Request<'r> {
    /// The HTTP method.
    pub(super) method: Method,
    /// The path below `/api/v1`, segment by segment.
    pub(super) path: Vec<&'r str>,
    /// The query.
    pub(super) query: Vec<(&'static str, String)>,
    /// The JSON body.
    pub(super) body: Option<Vec<u8>>,
    /// What sending it again would do.
    pub(super) repetition: Repetition,
}

/// What sending a request again does, when the first answer never came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// Nothing: it only reads.
    Read,
    /// Nothing: the coordinator remembers the key with its answer.
    Keyed(IdempotencyKey),
    /// Nothing: done twice it is the same as once, without a key.
    Harmless {
        /// The command that shows whether it was done.
        shown_by: &'static str,
    },
    /// Perhaps a second effect.
    Unsafe,
}

impl<'r> Request<'r> {
    /// A request without body that reads.
    pub(crate) fn get(path: impl Into<Vec<&'r str>>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
            repetition: Repetition::Read,
        }
    }

    /// A request that deletes.
    pub(crate) fn delete(path: impl Into<Vec<&'r str>>, repetition: Repetition) -> Self {
        Self {
            method: Method::DELETE,
            repetition,
            ..Self::get(path)
        }
    }

    /// A request that posts `body` as JSON.
    ///
    /// # Errors
    /// When the body cannot be JSON, such as a map whose keys are no texts.
    pub(crate) fn post(
        path: impl Into<Vec<&'r str>>,
        body: &impl Serialize,
        repetition: Repetition,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            method: Method::POST,
            body: Some(serde_json::to_vec(body)?),
            repetition,
            ..Self::get(path)
        })
    }

    /// The same with a query parameter more.
    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

/// The key that makes a repeated write have one effect: visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

/// The text cannot be a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 1 to {MAX_KEY_LENGTH} visible ASCII characters and no spaces")]
pub(crate) struct InvalidKey;

impl IdempotencyKey {
    /// A key nobody has used.
    pub(crate) fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let fits = (1..=MAX_KEY_LENGTH).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{IdempotencyKey, InvalidKey};

    #[test]
    fn keys_fit_a_header() {
        assert_eq!(
            "a-1".parse::<IdempotencyKey>().map(|key| key.to_string()),
            Ok("a-1".to_owned())
        );
        for text in ["", "a b", "ü", "a\n", &"x".repeat(257)] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidKey), "{text:?}");
        }
    }

    #[test]
    fn random_keys_differ() {
        assert_ne!(IdempotencyKey::random(), IdempotencyKey::random());
    }
}
