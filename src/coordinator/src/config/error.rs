//! What can be wrong with the configuration. Every message is one line: where it is, what is wrong, what to
//! do. Secrets never stand in one.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::one_line::shown;
use super::place::Place;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is missing although it was named, or cannot be read.
    #[error(
        "cannot read the configuration file {}: {source}; check the path given by --config or CONFIG_PATH",
        shown(&path.to_string_lossy())
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error(
        "{}{}: {}; correct the YAML there",
        shown(&path.to_string_lossy()),
        line.map(|line| format!(", line {line}")).unwrap_or_default(),
        shown(problem)
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where known.
        line: Option<u64>,
        /// What the parser says.
        problem: String,
    },
    /// Something else stands where a section with keys is expected.
    #[error(
        "{place}: {} must be a section with keys below it, but is {found}",
        if key.is_empty() { "the file".to_owned() } else { format!("`{}`", shown(key)) }
    )]
    NotASection {
        /// The file.
        place: Place,
        /// The dotted key; empty for the whole file.
        key: String,
        /// What is there.
        found: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key `{}`; the nearest known one is `{nearest}`", shown(key))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The full dotted key.
        key: String,
        /// The known key most like it.
        nearest: String,
    },
    /// A key of a file with dots in it.
    #[error(
        "{place}: unknown key `{}`; a key in a file has no dots: nest it under its section",
        shown(key)
    )]
    DottedKey {
        /// The file.
        place: Place,
        /// The key.
        key: String,
    },
    /// `--profile` names no overlay of the file.
    #[error("unknown profile `{}`; {known}", shown(name))]
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The known ones, in words.
        known: String,
    },
    /// The same overlay in both places where it may stand.
    #[error("{place}: profile `{name}` is given twice, at the top and under `profiles`; keep one of them")]
    ProfileTwice {
        /// The file.
        place: Place,
        /// The profile.
        name: String,
    },
    /// A `${NAME}` whose variable is not set.
    #[error(
        "{place}: `{key}` uses ${{{variable}}}, but the environment variable {variable} is not set; set it or remove the reference"
    )]
    UnsetVariable {
        /// Where.
        place: Place,
        /// The dotted key.
        key: &'static str,
        /// The variable.
        variable: String,
    },
    /// A `${` that no `NAME}` follows.
    #[error(
        "{place}: `{key}` has a `${{` that no name and `}}` follow; write ${{NAME}}, or $${{ for the characters themselves"
    )]
    BadReference {
        /// Where.
        place: Place,
        /// The dotted key.
        key: &'static str,
    },
    /// A value of the wrong type, form or size.
    #[error("{place}: `{key}` must be {expected}, but is {found}")]
    Invalid {
        /// Where.
        place: Place,
        /// The dotted key.
        key: &'static str,
        /// What is accepted.
        expected: String,
        /// The value, shown only when it is no secret.
        found: String,
    },
    /// A `--set` that assigns nothing.
    #[error("--set needs KEY=VALUE, with a dotted key such as grpc.port before the first `=`")]
    BadAssignment,
    /// Neither a name for this replica nor one of the host to take instead.
    #[error("the host has no name that `cluster.name` could default to; set REPLICA_NAME")]
    NoHostName,
    /// Two values that exclude each other.
    #[error(transparent)]
    Conflict(Box<Conflict>),
    /// The table of settings and the typed configuration do not fit: a fault of this program.
    #[error("the table of settings does not fit the configuration: {0}; please report this")]
    Table(String),
}

/// Two values that exclude each other.
#[derive(Debug, thiserror::Error)]
#[error("{first} {rule} {second}; change one of the two")]
pub(crate) struct Conflict {
    /// The one that the rule is about.
    pub(crate) first: Given,
    /// What must hold between them, in words.
    pub(crate) rule: &'static str,
    /// The other one.
    pub(crate) second: Given,
}

/// A setting as given: `key` (value, origin).
#[derive(Debug)]
pub(crate) struct Given {
    /// The dotted key.
    pub(crate) key: &'static str,
    /// The value as text, masked when it is a secret.
    pub(crate) value: String,
    /// Where it came from.
    pub(crate) place: Place,
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}, {})", self.key, shown(&self.value), self.place)
    }
}
