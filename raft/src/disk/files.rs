//! Databases in files beside each other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;

use super::{DatabaseKind, Disk};
use crate::error::{Doing, StoreError};

/// Files beside each other: `coordinator.db` holds the state, `coordinator.log.db` the log, and `coordinator.incoming.db`,
/// while another replica sends a state, what has come of it. An import also uses `coordinator.staging.db`.
#[derive(Debug, Clone)]
pub struct Files {
    state: PathBuf,
    log: PathBuf,
    incoming: PathBuf,
    staging: PathBuf,
}

impl Files {
    /// The state in the given file, the others beside it. The directory is made if it is missing.
    ///
    /// # Errors
    /// [`StoreError::File`] if the directory cannot be made.
    pub fn new(state: PathBuf) -> Result<Self, StoreError> {
        if let Some(directory) = state.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
            std::fs::create_dir_all(directory)
                .map_err(|source| file_error("create the data directory", directory, source))?;
            for made in missing.into_iter().filter(|path| !path.as_os_str().is_empty()) {
                sync_directory(made)?;
            }
        }
        let log = state.with_extension("log.db");
        let incoming = state.with_extension("incoming.db");
        let staging = state.with_extension("staging.db");
        Ok(Self {
            state,
            log,
            incoming,
            staging,
        })
    }

    fn path(&self, kind: DatabaseKind) -> &Path {
        match kind {
            DatabaseKind::Log => &self.log,
            DatabaseKind::State => &self.state,
            DatabaseKind::Incoming => &self.incoming,
            DatabaseKind::Staging => &self.staging,
        }
    }
}

impl Disk for Files {
    type Backend = FileBackend;

    fn open(&self, kind: DatabaseKind) -> Result<FileBackend, StoreError> {
        let path = self.path(kind);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| file_error("open", path, source))?;
        // A new file is lost in a power cut unless the directory that names it is synced too. Whether that was done when the
        // file was new nobody knows any more.
        sync_directory(path)?;
        FileBackend::new(file).doing("open a database file")
    }

    fn exists(&self, kind: DatabaseKind) -> Result<bool, StoreError> {
        let path = self.path(kind);
        path.try_exists()
            .map_err(|source| file_error("look for", path, source))
    }

    fn rename(&self, from: DatabaseKind, to: DatabaseKind) -> Result<(), StoreError> {
        let path = self.path(from);
        std::fs::rename(path, self.path(to)).map_err(|source| file_error("rename", path, source))
    }

    fn remove(&self, kind: DatabaseKind) -> Result<(), StoreError> {
        let path = self.path(kind);
        match std::fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(file_error("delete", path, source)),
        }
    }

    fn sync_names(&self) -> Result<(), StoreError> {
        sync_directory(&self.state)
    }

    fn name(&self, kind: DatabaseKind) -> String {
        self.path(kind).display().to_string()
    }

    fn size(&self, kind: DatabaseKind) -> u64 {
        std::fs::metadata(self.path(kind)).map_or(0, |metadata| metadata.len())
    }
}

fn sync_directory(file: &Path) -> Result<(), StoreError> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| file_error("sync the data directory", directory, source))
}

fn file_error(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::File {
        doing,
        path: path.display().to_string(),
        source,
    }
}
