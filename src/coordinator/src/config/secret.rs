//! A text that must not be seen: it masks itself wherever it is printed, so that no log, error or dump of the
//! configuration can leak it by accident. Only `expose` gives it away.

use std::fmt;

use serde::Deserialize;

/// What stands in a secret's place.
pub(crate) const MASK: &str = "***";

/// A secret text, such as a database URL with its password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_masked_when_printed_and_whole_when_exposed() {
        let secret = Secret::new("postgres://u:hunter2@h/d".to_owned());
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret)),
            "*** *** Some(\n    ***,\n)"
        );
        assert_eq!(secret.expose(), "postgres://u:hunter2@h/d");
    }
}
