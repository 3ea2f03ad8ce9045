//! Reads the text of a configuration file: YAML, sections, known keys, and the overlays beside the base. It
//! checks every key, also in overlays that are not applied; values are read later, by those who apply them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::error::ConfigError;
use super::nearest::nearest;
use super::place::Place;
use super::setting::{Setting, describe_type};
use super::table::{self, SETTINGS};

/// Overlays that stand at the top of the file; others stand below `profiles`.
const TOP_LEVEL_PROFILES: [&str; 2] = ["dev", "prod"];
const PROFILES: &str = "profiles";

/// What one part of the file sets, not yet read.
pub(crate) type RawValues = Vec<(&'static Setting, Json)>;

/// A configuration file with every key known.
#[derive(Default)]
pub(crate) struct Document {
    /// What holds in every profile.
    pub(crate) base: RawValues,
    /// The overlays by name.
    pub(crate) profiles: BTreeMap<String, RawValues>,
}

/// Reads `text`, the contents of the file at `path`. An empty file sets nothing.
///
/// # Errors
/// `ConfigError::Syntax`, `NotASection`, `UnknownKey`, `DottedKey` or `ProfileTwice`.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Document, ConfigError> {
    let root = parse_yaml(path, text)?;
    let place = Place::File(path.to_owned());
    let mut document = Document::default();
    let mut base = Map::new();
    for (name, value) in section(&place, "", root)? {
        if TOP_LEVEL_PROFILES.contains(&name.as_str()) {
            document.add_profile(&place, &name, &name, value)?;
        } else if name == PROFILES {
            for (name, value) in section(&place, PROFILES, value)? {
                document.add_profile(&place, &format!("{PROFILES}.{name}"), &name, value)?;
            }
        } else {
            base.insert(name, value);
        }
    }
    collect(&place, "", "", base, &mut document.base)?;
    Ok(document)
}

impl Document {
    fn add_profile(&mut self, place: &Place, key: &str, name: &str, value: Json) -> Result<(), ConfigError> {
        if self.profiles.contains_key(name) {
            return Err(ConfigError::ProfileTwice {
                place: place.clone(),
                name: name.to_owned(),
            });
        }
        let mut values = RawValues::new();
        collect(
            place,
            &format!("{key}."),
            "",
            section(place, key, value)?,
            &mut values,
        )?;
        self.profiles.insert(name.to_owned(), values);
        Ok(())
    }
}

fn parse_yaml(path: &Path, text: &str) -> Result<Json, ConfigError> {
    // A configuration is small: limits far below the parser's own stop a file that unfolds aliases without
    // end. No snippets, since a line of the file may hold a password.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 20_000, max_events: 50_000, max_depth: 16, },
        with_snippet: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.location().map(|location| location.line()),
        problem: problem(&error),
    })
}

fn problem(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is given twice")
        }
        serde_saphyr::Error::MultipleDocuments { .. } => "a second YAML document begins".to_owned(),
        other => other.to_string(),
    }
}

/// The keys of a section; none when it is empty.
fn section(place: &Place, key: &str, value: Json) -> Result<Map<String, Json>, ConfigError> {
    match value {
        Json::Object(keys) => Ok(keys),
        Json::Null => Ok(Map::new()),
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => Err(ConfigError::NotASection {
            place: place.clone(),
            key: key.to_owned(),
            found: describe_type(&value).to_owned(),
        }),
    }
}

/// Adds the settings below `prefix` to `values`. `overlay` goes before each key in errors.
fn collect(
    place: &Place,
    overlay: &str,
    prefix: &str,
    keys: Map<String, Json>,
    values: &mut RawValues,
) -> Result<(), ConfigError> {
    for (name, value) in keys {
        let key = format!("{prefix}{name}");
        if name.contains('.') {
            return Err(ConfigError::DottedKey {
                place: place.clone(),
                key: format!("{overlay}{key}"),
            });
        }
        if let Some(setting) = table::find(&key) {
            values.push((setting, value));
        } else if table::sections().contains(&key.as_str()) {
            let inner = section(place, &format!("{overlay}{key}"), value)?;
            collect(place, overlay, &format!("{key}."), inner, values)?;
        } else {
            return Err(ConfigError::UnknownKey {
                place: place.clone(),
                nearest: format!("{overlay}{}", nearest_known(&key, &value, overlay.is_empty())),
                key: format!("{overlay}{key}"),
            });
        }
    }
    Ok(())
}

/// A key with keys below it was meant as a section, any other as a setting.
fn nearest_known(key: &str, value: &Json, at_top: bool) -> &'static str {
    let settings = SETTINGS.iter().map(|setting| setting.key);
    let overlays = TOP_LEVEL_PROFILES
        .into_iter()
        .chain([PROFILES])
        .filter(|_| at_top);
    match value {
        Json::Object(_) => nearest(key, table::sections().into_iter().chain(overlays)),
        Json::Null => nearest(key, settings.chain(table::sections()).chain(overlays)),
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => nearest(key, settings),
    }
}
