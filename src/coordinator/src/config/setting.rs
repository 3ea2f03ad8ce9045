//! One setting: its dotted key, default, kind and the ways to set it. The table of all settings is in
//! `table`.

use serde_json::Value as Json;

use super::error::ConfigError;
use super::kind::Kind;
use super::one_line::shown;
use super::place::Place;
use super::value::Value;

/// One row of the table of settings.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The dotted key, such as `grpc.port`.
    pub(crate) key: &'static str,
    /// What holds when nobody sets it.
    pub(crate) default: DefaultValue,
    /// What it accepts.
    pub(crate) kind: Kind,
    /// The environment variable that sets it.
    pub(crate) env: Option<&'static str>,
    /// The command line flag that sets it, without dashes.
    pub(crate) flag: Option<&'static str>,
    /// What it is for, in one line.
    pub(crate) meaning: &'static str,
}

/// The default of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultValue {
    /// This value, as text.
    Text(&'static str),
    /// Found out at the start; this says how.
    Derived(&'static str),
    /// Not set.
    Nothing,
}

impl Setting {
    /// A setting with a fixed default and no variable or flag.
    pub(crate) const fn new(key: &'static str, default: &'static str, kind: Kind) -> Self {
        let default = DefaultValue::Text(default);
        Self {
            key,
            default,
            kind,
            env: None,
            flag: None,
            meaning: "",
        }
    }

    /// A setting that need not be set.
    pub(crate) const fn optional(key: &'static str, kind: Kind) -> Self {
        Self {
            key,
            default: DefaultValue::Nothing,
            kind,
            env: None,
            flag: None,
            meaning: "",
        }
    }

    /// The same with a default that is found out at the start, as `how` says.
    pub(crate) const fn derived(mut self, how: &'static str) -> Self {
        self.default = DefaultValue::Derived(how);
        self
    }

    /// The same with an environment variable.
    pub(crate) const fn env(mut self, variable: &'static str) -> Self {
        self.env = Some(variable);
        self
    }

    /// The same with a command line flag.
    pub(crate) const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    /// The same with its meaning.
    pub(crate) const fn means(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    /// The valid value that `raw` stands for. Nothing, or an empty text, unsets a setting that need not be
    /// set.
    ///
    /// # Errors
    /// `ConfigError::Invalid` for a wrong type, form or size, and for an empty value of any other setting.
    pub(crate) fn read(&self, raw: &Json, place: &Place) -> Result<Value, ConfigError> {
        let is_empty = match raw {
            Json::Null => true,
            Json::String(text) => text.trim().is_empty(),
            Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => false,
        };
        if is_empty && !matches!(self.default, DefaultValue::Text(_)) {
            return Ok(self.nothing());
        }
        self.kind.read(raw).ok_or_else(|| ConfigError::Invalid {
            place: place.clone(),
            key: self.key,
            expected: self.kind.expected(),
            found: if is_empty {
                "empty".to_owned()
            } else {
                self.describe(raw)
            },
        })
    }

    /// The value while nothing sets it.
    ///
    /// # Errors
    /// `ConfigError::Invalid` when the table holds a default that its own kind refuses: a fault of this
    /// program.
    pub(crate) fn default_value(&self) -> Result<Value, ConfigError> {
        match self.default {
            DefaultValue::Text(text) => self.read(&Json::String(text.to_owned()), &Place::Default),
            DefaultValue::Derived(_) | DefaultValue::Nothing => Ok(self.nothing()),
        }
    }

    fn nothing(&self) -> Value {
        if self.kind.is_list() {
            Value::List(Vec::new())
        } else {
            Value::Nothing
        }
    }

    fn describe(&self, raw: &Json) -> String {
        match raw {
            Json::Array(_) | Json::Object(_) | Json::Null => describe_type(raw).to_owned(),
            Json::Bool(_) | Json::Number(_) | Json::String(_) if self.kind.is_secret() => {
                "something else (not shown: it may hold a password)".to_owned()
            }
            Json::Bool(on) => format!("`{on}`"),
            Json::Number(number) => format!("the number `{number}`"),
            Json::String(text) => format!("`{}`", shown(text)),
        }
    }
}

/// What `raw` is, in words.
pub(crate) fn describe_type(raw: &Json) -> &'static str {
    match raw {
        Json::Null => "empty",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list that does not fit",
        Json::Object(_) => "a section",
    }
}
