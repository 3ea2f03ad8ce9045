//! The value of one setting once it has been read and found valid.

use std::fmt;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::duration;
use super::secret::Secret;

/// A valid value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// An optional setting that is not set.
    Nothing,
    /// On or off.
    Switch(bool),
    /// A port, a count or a number of bytes.
    Whole(u64),
    /// A share.
    Ratio(f64),
    /// A span of time.
    Duration(Duration),
    /// A path, name, address or word of a choice.
    Text(String),
    /// Several texts.
    List(Vec<String>),
    /// A text that is never shown.
    Secret(Secret),
}

impl Value {
    /// The value in the form from which the typed configuration is deserialized.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Nothing => Json::Null,
            Self::Switch(on) => json!(on),
            Self::Whole(number) => json!(number),
            Self::Ratio(ratio) => json!(ratio),
            Self::Duration(span) => json!({ "secs": span.as_secs(), "nanos": span.subsec_nanos() }),
            Self::Text(text) => json!(text),
            Self::List(items) => json!(items),
            Self::Secret(secret) => json!(secret.expose()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("not set"),
            Self::Switch(on) => write!(f, "{on}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Ratio(ratio) => write!(f, "{ratio}"),
            Self::Duration(span) => f.write_str(&duration::to_text(*span)),
            Self::Text(text) => f.write_str(text),
            Self::List(items) if items.is_empty() => f.write_str("not set"),
            Self::List(items) => f.write_str(&items.join(",")),
            Self::Secret(secret) => write!(f, "{secret}"),
        }
    }
}
