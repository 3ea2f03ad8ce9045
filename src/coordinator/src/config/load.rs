//! Builds the configuration from its sources; the later wins: defaults, file, profile, environment, flags.
//! A pure function of what it is given, so that tests need no process environment and no file.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::args::ConfigArgs;
use super::checks;
use super::document::{self, Document, RawValues};
use super::effective::Effective;
use super::error::ConfigError;
use super::expand::{ReferenceError, expand};
use super::nearest::nearest;
use super::one_line::shown;
use super::place::Place;
use super::sections::Config;
use super::setting::Setting;
use super::table::{self, SETTINGS};
use super::value::Value;

/// The file that is read when none is named; it may be missing.
pub(crate) const DEFAULT_FILE: &str = "config.yaml";
/// The environment variable that names the file.
pub(crate) const FILE_VARIABLE: &str = "CONFIG_PATH";

const DATABASE_TYPE: &str = "database.type";
const DATABASE_URL_VARIABLE: &str = "DATABASE_URL";
const CLUSTER_NAME: &str = "cluster.name";

/// What the configuration is read from, besides the command line.
pub(crate) struct Sources<'s> {
    /// The environment variables. An empty one counts as not set, except in a `${NAME}`.
    pub(crate) environment: &'s BTreeMap<String, String>,
    /// Reads a whole file.
    pub(crate) read_file: &'s dyn Fn(&Path) -> io::Result<String>,
    /// The name of the host: the default of `cluster.name`.
    pub(crate) host_name: &'s str,
}

/// A configuration, and how it came about.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The typed configuration.
    pub(crate) config: Config,
    /// Each value with its origin, for `coordinator config`.
    pub(crate) effective: Effective,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
}

/// Loads the configuration.
///
/// # Errors
/// The first `ConfigError` found: nothing of a wrong configuration is used.
pub(crate) fn load(args: &ConfigArgs, sources: &Sources<'_>) -> Result<Loaded, ConfigError> {
    let mut effective = Effective::defaults()?;
    let file = read_document(args, sources)?;
    if let Some((path, document)) = &file {
        apply(
            &mut effective,
            &document.base,
            &Place::File(path.clone()),
            sources.environment,
        )?;
    }
    if let Some(name) = &args.profile {
        let (values, place) = find_profile(name, file.as_ref())?;
        apply(&mut effective, values, &place, sources.environment)?;
    }
    apply_environment(&mut effective, sources.environment)?;
    apply_flags(&mut effective, args)?;
    derive(&mut effective, sources)?;
    let config = effective.to_config()?;
    checks::check(&config, &effective)?;
    Ok(Loaded {
        config,
        effective,
        file: file.map(|(path, _)| path),
    })
}

/// The file that is named or, where it exists, the default one.
fn read_document(
    args: &ConfigArgs,
    sources: &Sources<'_>,
) -> Result<Option<(PathBuf, Document)>, ConfigError> {
    let named = args
        .file
        .clone()
        .or_else(|| variable(sources.environment, FILE_VARIABLE).map(PathBuf::from));
    let may_be_missing = named.is_none();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match (sources.read_file)(&path) {
        Ok(text) => {
            let document = document::parse(&path, &text)?;
            Ok(Some((path, document)))
        }
        Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

fn find_profile<'d>(
    name: &str,
    file: Option<&'d (PathBuf, Document)>,
) -> Result<(&'d RawValues, Place), ConfigError> {
    let unknown = |known| ConfigError::UnknownProfile {
        name: name.to_owned(),
        known,
    };
    let Some((path, document)) = file else {
        return Err(unknown(format!(
            "there is no configuration file {DEFAULT_FILE} to define profiles"
        )));
    };
    match document.profiles.get(name) {
        Some(values) => Ok((
            values,
            Place::Profile {
                file: path.clone(),
                profile: name.to_owned(),
            },
        )),
        None if document.profiles.is_empty() => Err(unknown(format!(
            "{} defines no profiles",
            Place::File(path.clone())
        ))),
        None => {
            let names: Vec<String> = document.profiles.keys().map(|name| shown(name)).collect();
            Err(unknown(format!(
                "{} defines: {}",
                Place::File(path.clone()),
                names.join(", ")
            )))
        }
    }
}

fn apply(
    effective: &mut Effective,
    values: &RawValues,
    place: &Place,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    for (setting, raw) in values {
        let raw = expand(raw, environment).map_err(|error| match error {
            ReferenceError::Unset(variable) => ConfigError::UnsetVariable {
                place: place.clone(),
                key: setting.key,
                variable,
            },
            ReferenceError::Malformed => ConfigError::BadReference {
                place: place.clone(),
                key: setting.key,
            },
        })?;
        effective.set(setting, &raw, place.clone())?;
    }
    Ok(())
}

fn apply_environment(
    effective: &mut Effective,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    for setting in SETTINGS {
        let Some(name) = setting.env else { continue };
        if let Some(text) = variable(environment, name) {
            effective.set(setting, &Json::String(text.to_owned()), Place::Environment(name))?;
        }
    }
    Ok(())
}

fn apply_flags(effective: &mut Effective, args: &ConfigArgs) -> Result<(), ConfigError> {
    for (setting, flag, text) in &args.flags {
        effective.set(setting, &Json::String(text.clone()), Place::Flag(flag))?;
    }
    for assignment in &args.assignments {
        let (setting, text) = parse_assignment(assignment)?;
        effective.set(setting, &Json::String(text.to_owned()), Place::Assignment)?;
    }
    Ok(())
}

fn parse_assignment(assignment: &str) -> Result<(&'static Setting, &str), ConfigError> {
    let (key, text) = assignment.split_once('=').ok_or(ConfigError::BadAssignment)?;
    let key = key.trim();
    // Anything else is no mistyped key but, say, a URL with its password: it must not be shown.
    let looks_like_a_key = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if key.is_empty() || !looks_like_a_key {
        return Err(ConfigError::BadAssignment);
    }
    let setting = table::find(key).ok_or_else(|| ConfigError::UnknownKey {
        place: Place::Assignment,
        key: key.to_owned(),
        nearest: nearest(key, SETTINGS.iter().map(|setting| setting.key)).to_owned(),
    })?;
    Ok((setting, text))
}

/// Fills in what depends on other sources: the engine that DATABASE_URL selects where none is chosen (older
/// deployments set nothing else), and the replica's name.
fn derive(effective: &mut Effective, sources: &Sources<'_>) -> Result<(), ConfigError> {
    let is_default = |key| {
        effective
            .get(key)
            .is_some_and(|origin| origin.place == Place::Default)
    };
    let selects_postgres =
        is_default(DATABASE_TYPE) && variable(sources.environment, DATABASE_URL_VARIABLE).is_some();
    if let (true, Some(setting)) = (selects_postgres, table::find(DATABASE_TYPE)) {
        let place = Place::Environment(DATABASE_URL_VARIABLE);
        effective.set(setting, &Json::String("postgres".to_owned()), place)?;
    }
    let unnamed = effective
        .get(CLUSTER_NAME)
        .is_some_and(|origin| origin.value == Value::Nothing);
    if let (true, Some(setting)) = (unnamed, table::find(CLUSTER_NAME)) {
        if sources.host_name.trim().is_empty() {
            return Err(ConfigError::NoHostName);
        }
        effective.set(
            setting,
            &Json::String(sources.host_name.to_owned()),
            Place::HostName,
        )?;
    }
    Ok(())
}

fn variable<'e>(environment: &'e BTreeMap<String, String>, name: &str) -> Option<&'e str> {
    environment
        .get(name)
        .map(String::as_str)
        .filter(|text| !text.trim().is_empty())
}
