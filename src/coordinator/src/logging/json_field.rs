//! Lets an event carry a list or an object. A `tracing` field is a number, a text or an error; the error is
//! the one kind that a visitor can ask for its type, so the value travels as one. Nothing is ever guessed
//! from text: what merely looks like JSON stays a text.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

/// A JSON value on its way through `tracing`. Only looks like an error; see the module.
#[derive(Debug)]
pub(crate) struct JsonField(Json);

impl JsonField {
    /// The value.
    pub(crate) fn value(&self) -> &Json {
        &self.0
    }
}

impl fmt::Display for JsonField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Error for JsonField {}

/// `value` as a field that is logged as JSON: `info!(addresses = json(&addresses), "Node registered")`.
/// Logged whole, so it must be bounded.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Box<dyn Error + Send + Sync> {
    let json = serde_json::to_value(value)
        .unwrap_or_else(|error| Json::String(format!("(cannot be shown as JSON: {error})")));
    Box::new(JsonField(json))
}
