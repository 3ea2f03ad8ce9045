//! Tests of the whole way from sources to configuration. Each file is about one source or one promise.

mod conflicts;
mod default_file;
mod environment;
mod files;
mod flags;
mod invalid;
mod printed;
mod profiles;
mod references;
mod secrets;
mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};

use super::{Config, ConfigArgs, ConfigError, Loaded, Sources, double_dashes, load};

/// The sources of one configuration: nothing is taken from the process that runs the test.
#[derive(Default)]
struct Setup {
    files: BTreeMap<PathBuf, String>,
    environment: BTreeMap<String, String>,
    arguments: Vec<OsString>,
}

fn setup() -> Setup {
    Setup::default()
}

impl Setup {
    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(PathBuf::from(path), text.to_owned());
        self
    }

    /// The file that is read when none is named.
    fn yaml(self, text: &str) -> Self {
        self.file("config.yaml", text)
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(OsString::from(argument));
        self
    }

    fn load(self) -> Result<Loaded, ConfigError> {
        let arguments = [OsString::from("coordinator")].into_iter().chain(self.arguments);
        let command = ConfigArgs::augment_args(Command::new("coordinator"));
        let matches = command.try_get_matches_from(double_dashes(arguments)).unwrap();
        let args = ConfigArgs::from_arg_matches(&matches).unwrap();
        let read_file = |path: &Path| {
            let text = self.files.get(path).cloned();
            text.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
        };
        load(
            &args,
            &Sources {
                environment: &self.environment,
                read_file: &read_file,
                host_name: "replica-a",
            },
        )
    }

    fn config(self) -> Config {
        self.load().unwrap().config
    }

    /// The message of the error, which must be one line.
    fn error(self) -> String {
        let message = self.load().unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }
}
