//! The password of the database, which may be in a file.

use std::io;
use std::path::PathBuf;

use super::sections::Database;

/// The file of the password cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read database.password_file {}: {source}", path.display())]
pub(crate) struct PasswordFileError {
    path: PathBuf,
    source: io::Error,
}

impl Database {
    /// The password for PostgreSQL that is not in its URL. A file may end with a line break.
    ///
    /// # Errors
    /// [`PasswordFileError`].
    pub(crate) fn read_password(&self) -> Result<Option<String>, PasswordFileError> {
        let Some(path) = &self.password_file else {
            let password = self.password.as_ref();
            return Ok(password.map(|password| password.expose().to_owned()));
        };
        let text = std::fs::read_to_string(path).map_err(|source| PasswordFileError {
            path: path.clone(),
            source,
        })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}
