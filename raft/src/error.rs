//! What can go wrong with the data on disk, in words that tell an operator what to do.

use std::cmp::Ordering;
use std::io;

/// A failure of the store. Once one occurred, the replica stops rather than guess.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A recovery has nothing to work on.
    #[error(
        "{path} holds no data of a cluster, so there is nothing to recover; look for a replica that still has its data"
    )]
    NothingToRecover {
        /// The log.
        path: String,
    },
    /// An export has nothing to work on.
    #[error(
        "{path} holds no rows of a replica, so there is nothing to export; set DATA_PATH as for the server"
    )]
    NothingToExport {
        /// The state.
        path: String,
    },
    /// An import would meet rows that are there.
    #[error(
        "{path} is there already: an import goes into an empty data directory; move what is there out of the way first"
    )]
    NotEmpty {
        /// The file.
        path: String,
    },
    /// Nothing starts where rows are only half there.
    #[error(
        "{path}: an import into this directory is under way, or failed: wait for it, or run `coordinator import` again, which \
         starts over; to start without its rows, delete this file"
    )]
    Importing {
        /// The log.
        path: String,
    },
    /// Rows to be imported that are not all the rows of one state.
    #[error("the rows are not those of a whole state: {detail}; nothing was imported")]
    Unfit {
        /// What is wrong.
        detail: String,
    },
    /// The data directory or one of its files cannot be created, opened, read or written.
    #[error("{doing} {path}: {source}")]
    File {
        /// What was being done, as "open".
        doing: &'static str,
        /// The file or directory.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process has the database open.
    #[error(
        "{path} is locked: another coordinator is running on this data; stop it, or use another data directory"
    )]
    Locked {
        /// The file.
        path: String,
    },
    /// A file is there and is not a database of this program.
    #[error(
        "{path} is not a coordinator database{hint}; move it out of the way, or set database.path to another file"
    )]
    Foreign {
        /// The file.
        path: String,
        /// What it looks like, if that is known.
        hint: &'static str,
    },
    /// A database cannot be read.
    #[error(
        "{path} is damaged: {reason}; restore the data directory from a copy, or move it away and let this replica join anew"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database was written by a newer version.
    #[error(
        "{path} has format {found}, and this version reads up to {supported}: it was written by a newer coordinator; \
         start that version or a newer one"
    )]
    NewerFormat {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The newest format that this version knows.
        supported: u32,
    },
    /// A file was written by a version before the first release.
    #[error(
        "{path} has format {found}, and this version reads only {supported}: it was written by a version before the \
         first release; move it away and register anew what it held"
    )]
    OlderFormat {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The format that this version knows.
        supported: u32,
    },
    /// The log and the state in a data directory are not of the same replica.
    #[error(
        "{log} and {state} belong to different replicas: one of them was replaced; restore the missing one, \
         or move both away and let this replica join anew, or import again if an import was cut short"
    )]
    Mismatched {
        /// The log's file.
        log: String,
        /// The state's file.
        state: String,
    },
    /// The database engine failed.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: Box<redb::Error>,
    },
    /// Stored bytes are not what was written.
    #[error("corrupt data in {table}: {detail}; restore this replica from a backup or let it join anew")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// A log entry cannot be decoded by this version.
    #[error("log entry {index} cannot be applied: {detail}; start the version that wrote it, or a newer one")]
    UnknownEntry {
        /// The entry's index.
        index: u64,
        /// Why.
        detail: String,
    },
    /// An earlier failure stopped the store.
    #[error("the store stopped after an earlier failure: {0}")]
    Stopped(String),
}

impl StoreError {
    /// Refuses a file of another format than this version's.
    pub(crate) fn check_format(path: &str, found: u32, supported: u32) -> Result<(), Self> {
        let path = || path.to_owned();
        match found.cmp(&supported) {
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(Self::NewerFormat {
                path: path(),
                found,
                supported,
            }),
            Ordering::Less => Err(Self::OlderFormat {
                path: path(),
                found,
                supported,
            }),
        }
    }

    /// Something is wrong with stored bytes.
    pub(crate) fn corrupt(table: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            table,
            detail: detail.to_string(),
        }
    }
}

/// Says what was being done when the database engine failed.
pub(crate) trait Doing<T> {
    /// Adds what was being done.
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T, E: Into<redb::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Database {
            doing,
            source: Box::new(error.into()),
        })
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        Self::other(error)
    }
}
