//! Gathers the fields of an event or a span as JSON values, in order, each key once.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};

use serde_json::{Number, Value as Json};
use tracing::field::{Field, Visit};

use super::field_name::key;
use super::json_field::JsonField;

/// Longest text of one field, in bytes: the rest is cut, however much a client or a dependency has to say.
const MAX_TEXT: usize = 8192;
const CUT: &str = "… (cut)";

/// The field that carries the message of an event.
const MESSAGE: &str = "message";

/// Fields in the order they were recorded, and the message.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    message: Option<String>,
    fields: Vec<(Cow<'static, str>, Json)>,
}

impl Fields {
    /// The message; empty when there is none.
    pub(crate) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Keys and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Sets `key`, which keeps its position when it was there already.
    pub(crate) fn set(&mut self, key: Cow<'static, str>, value: Json) {
        match self.fields.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.fields.push((key, value)),
        }
    }

    /// Sets what `newer` has.
    pub(crate) fn update(&mut self, newer: Self) {
        for (key, value) in newer.fields {
            self.set(key, value);
        }
    }

    /// Adds what `outer` has and this has not.
    pub(crate) fn inherit(&mut self, outer: &Self) {
        for (key, value) in &outer.fields {
            if !self.fields.iter().any(|(known, _)| known == key) {
                self.fields.push((key.clone(), value.clone()));
            }
        }
    }

    fn record(&mut self, field: &Field, value: Json) {
        self.set(key(field.name()), value);
    }

    fn record_text(&mut self, field: &Field, text: String) {
        if field.name() == MESSAGE {
            self.message = Some(text);
        } else {
            self.record(field, Json::String(text));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        let json = Number::from_f64(value).map_or_else(|| Json::String(value.to_string()), Json::Number);
        self.record(field, json);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, Json::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, Json::from(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.record(field, wide(i64::try_from(value).map(Number::from), value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.record(field, wide(u64::try_from(value).map(Number::from), value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, Json::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_text(field, bounded(format_args!("{value}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        match value.downcast_ref::<JsonField>() {
            Some(json) => self.record(field, json.value().clone()),
            None => self.record_text(field, bounded(format_args!("{}", WithSources(value)))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_text(field, bounded(format_args!("{value:?}")));
    }
}

/// A number that JSON readers understand, or the digits as text.
fn wide<E>(number: Result<Number, E>, value: impl fmt::Display) -> Json {
    number.map_or_else(|_| Json::String(value.to_string()), Json::Number)
}

/// An error and what caused it. A cause that the error already tells is not repeated.
struct WithSources<'e>(&'e (dyn Error + 'static));

impl fmt::Display for WithSources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = bounded(format_args!("{}", self.0));
        f.write_str(&told)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = bounded(format_args!("{error}"));
            if !told.contains(&text) {
                write!(f, ": {text}")?;
                told = text;
            }
            source = error.source();
        }
        Ok(())
    }
}

/// The text of `arguments`, cut after `MAX_TEXT` bytes. Formatting stops there: a huge value costs no memory.
fn bounded(arguments: fmt::Arguments<'_>) -> String {
    let mut text = Bounded(String::new());
    if text.write_fmt(arguments).is_err() {
        text.0.push_str(CUT);
    }
    text.0
}

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MAX_TEXT - self.0.len().min(MAX_TEXT);
        if more.len() <= room {
            self.0.push_str(more);
            return Ok(());
        }
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        Err(fmt::Error)
    }
}
