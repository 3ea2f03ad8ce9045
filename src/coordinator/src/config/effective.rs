//! The value of every setting with the place it came from, built layer by layer: each `set` replaces what an
//! earlier layer said.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::error::{ConfigError, Given};
use super::place::Place;
use super::sections::Config;
use super::setting::Setting;
use super::table::SETTINGS;
use super::value::Value;

/// One setting's value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    /// The value.
    pub(crate) value: Value,
    /// Where it came from.
    pub(crate) place: Place,
}

/// All settings, each with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Effective(BTreeMap<&'static str, Origin>);

impl Effective {
    /// The built-in defaults.
    ///
    /// # Errors
    /// `ConfigError::Invalid` when the table holds a default that its own kind refuses: a fault of this
    /// program.
    pub(crate) fn defaults() -> Result<Self, ConfigError> {
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            values.insert(
                setting.key,
                Origin {
                    value: setting.default_value()?,
                    place: Place::Default,
                },
            );
        }
        Ok(Self(values))
    }

    /// Sets `setting` to what `raw` stands for.
    ///
    /// # Errors
    /// `ConfigError::Invalid` when `raw` is not what the setting accepts.
    pub(crate) fn set(&mut self, setting: &Setting, raw: &Json, place: Place) -> Result<(), ConfigError> {
        let value = setting.read(raw, &place)?;
        self.0.insert(setting.key, Origin { value, place });
        Ok(())
    }

    /// Value and origin of the setting with this dotted key; none for a key that is not in the table.
    pub(crate) fn get(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    /// The setting with this dotted key as an error shows it.
    pub(crate) fn given(&self, key: &'static str) -> Given {
        match self.get(key) {
            Some(origin) => Given {
                key,
                value: origin.value.to_string(),
                place: origin.place.clone(),
            },
            None => Given {
                key,
                value: Value::Nothing.to_string(),
                place: Place::Default,
            },
        }
    }

    /// The typed configuration.
    ///
    /// # Errors
    /// `ConfigError::Table` when the table and the type do not fit: a fault of this program.
    pub(crate) fn to_config(&self) -> Result<Config, ConfigError> {
        let mut root = Map::new();
        for (key, origin) in &self.0 {
            let value = origin.value.to_json();
            match key.split_once('.') {
                None => {
                    root.insert((*key).to_owned(), value);
                }
                Some((section, name)) => {
                    let section = root.entry(section).or_insert_with(|| Json::Object(Map::new()));
                    if let Json::Object(keys) = section {
                        keys.insert(name.to_owned(), value);
                    }
                }
            }
        }
        serde_json::from_value(Json::Object(root)).map_err(|error| ConfigError::Table(error.to_string()))
    }
}
