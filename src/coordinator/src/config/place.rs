//! Where a value came from: named in every error about it, and beside it in the printed configuration.

use std::fmt;
use std::path::PathBuf;

use super::one_line::shown;

/// The origin of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Built in.
    Default,
    /// The configuration file, outside any profile.
    File(PathBuf),
    /// An overlay of the configuration file.
    Profile {
        /// The file.
        file: PathBuf,
        /// The overlay's name.
        profile: String,
    },
    /// The environment variable of this name.
    Environment(&'static str),
    /// The command line flag of this name, without dashes.
    Flag(&'static str),
    /// `--set` on the command line.
    Assignment,
    /// The name of the host.
    HostName,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file) => f.write_str(&shown(&file.to_string_lossy())),
            Self::Profile { file, profile } => {
                write!(
                    f,
                    "{}, profile {}",
                    shown(&file.to_string_lossy()),
                    shown(profile)
                )
            }
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Assignment => f.write_str("--set"),
            Self::HostName => f.write_str("host name"),
        }
    }
}
