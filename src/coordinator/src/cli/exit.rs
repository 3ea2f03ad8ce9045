//! Why a command did not do what was asked, and the exit code by which scripts learn it.

use std::io;

use crate::config::ConfigError;

/// A command that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Something on this side: an argument, a local file.
    #[error("{0}")]
    Local(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
    /// The process that was asked for its health is not well, or cannot be asked.
    #[error("{0}")]
    Unhealthy(String),
    /// The coordinator will not do it.
    #[error("refused: {0}")]
    Refused(String),
    /// What answers is no coordinator, or one that speaks otherwise.
    #[error(
        "{url} gave an answer that is not understood: {problem}; check that it is the coordinator's REST port"
    )]
    Unintelligible {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The coordinator does not know what the command names.
    #[error("not found: {0}")]
    NotFound(String),
    /// No replica could answer: nothing happened.
    #[error(
        "no replica can answer now, and nothing was done: {attempts}; check --endpoint, or repeat the command"
    )]
    Unavailable {
        /// Each endpoint with what came of it.
        attempts: String,
    },
    /// A write was sent, and what became of it is not known.
    #[error("the outcome is unknown: {attempts}; {advice}")]
    UnknownOutcome {
        /// Each endpoint with what came of it.
        attempts: String,
        /// How to go on.
        advice: String,
    },
}

impl CliError {
    /// Whether the reader of the output went away, as `head` does: nothing is wrong then.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Output(_) if self.is_closed_pipe() => 0,
            Self::Local(_) | Self::Config(_) | Self::Output(_) | Self::Unhealthy(_) => 1,
            Self::Refused(_) | Self::Unintelligible { .. } => 2,
            Self::NotFound(_) => 3,
            Self::Unavailable { .. } => 4,
            Self::UnknownOutcome { .. } => 5,
        }
    }
}

/// The exit code of a command line that is not understood; that of `--help` and `--version` is 0.
pub(crate) fn usage_code(error: &clap::Error) -> u8 {
    u8::from(error.use_stderr())
}

/// The part of the help that explains exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the command line, a local file or the configuration is wrong
  2  refused
  3  not found
  4  no leader, no quorum, or no endpoint can be reached: nothing was done
  5  timed out, and the outcome is unknown";

#[cfg(test)]
mod tests {
    use std::io;

    use super::CliError;

    #[test]
    fn each_kind_of_failure_has_its_code() {
        let codes = [
            (CliError::Local(String::new()), 1),
            (CliError::Unhealthy(String::new()), 1),
            (CliError::Output(io::Error::other("disk full")), 1),
            (CliError::Refused(String::new()), 2),
            (
                CliError::Unintelligible {
                    url: String::new(),
                    problem: String::new(),
                },
                2,
            ),
            (CliError::NotFound(String::new()), 3),
            (
                CliError::Unavailable {
                    attempts: String::new(),
                },
                4,
            ),
            (
                CliError::UnknownOutcome {
                    attempts: String::new(),
                    advice: String::new(),
                },
                5,
            ),
        ];
        for (error, code) in codes {
            assert_eq!(error.code(), code, "{error:?}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let closed = CliError::Output(io::ErrorKind::BrokenPipe.into());
        assert!(closed.is_closed_pipe());
        assert_eq!(closed.code(), 0);
        assert!(!CliError::Output(io::ErrorKind::StorageFull.into()).is_closed_pipe());
    }
}
