//! A dump in a file that is either complete or not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;

use super::writer::DumpWriter;
use super::{Summary, WriteError};

/// What a file is called until it is complete.
const PARTIAL: &str = "partial";

/// A dump that has its name only when it is complete and on disk. Dropped before, it leaves nothing.
pub struct NamedDump {
    writer: DumpWriter<File>,
    // After the writer: the file is closed first.
    partial: Partial,
    path: PathBuf,
}

impl NamedDump {
    /// Begins a dump at a path where nothing is, beside which it grows.
    ///
    /// # Errors
    /// [`WriteError::Exists`], [`WriteError::Unfinished`], [`WriteError::Io`].
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(PARTIAL);
        let partial = PathBuf::from(name);
        refuse_existing(path)?;
        // Two that write at once would make one file of both.
        let file = File::create_new(&partial).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Unfinished {
                name: partial.display().to_string(),
            },
            _ => failed(&partial, source),
        })?;
        let writer = DumpWriter::begin(file, partial.display().to_string())?;
        Ok(Self {
            writer,
            partial: Partial(partial),
            path: path.to_owned(),
        })
    }

    /// Adds the next row, kind by kind.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn add(&mut self, row: &Row) -> Result<(), WriteError> {
        self.writer.add(row)
    }

    /// Ends the dump, which is of the state at `index`. When this returns no power cut takes it away.
    ///
    /// # Errors
    /// [`WriteError::Exists`], [`WriteError::Io`]; [`WriteError::NotDurable`] of one that is there.
    pub fn finish(self, index: AppliedIndex) -> Result<Summary, WriteError> {
        let Self {
            writer,
            partial,
            path,
        } = self;
        let (file, summary) = writer.finish(index)?;
        file.sync_all().map_err(|source| failed(&partial.0, source))?;
        refuse_existing(&path)?;
        fs::rename(&partial.0, &path).map_err(|source| failed(&path, source))?;
        // The new name is durable only with its directory.
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| WriteError::NotDurable {
                name: path.display().to_string(),
                source,
            })?;
        Ok(summary)
    }

    /// Removes what processes that died while they wrote a dump left in a directory. Nobody may be writing one there.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove_leftovers(directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == PARTIAL) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// A file that is removed unless it was renamed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // It is gone if all went well; if it cannot be removed, the next one has its name.
        let _ = fs::remove_file(&self.0);
    }
}

/// What is there may be the only copy of something.
fn refuse_existing(path: &Path) -> Result<(), WriteError> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(WriteError::Exists {
            name: path.display().to_string(),
        }),
        Err(error) => Err(failed(path, error)),
    }
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        name: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use zephyrfs_core::units::AppliedIndex;

    use super::NamedDump;

    #[test]
    fn an_incomplete_file_goes_by_itself_or_with_the_next_backup() {
        let directory = tempfile::tempdir().unwrap();
        let names = || {
            let entries = fs::read_dir(directory.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let path = directory.path().join("a.dump");
        let begun = NamedDump::create(&path).unwrap();
        assert_eq!(names(), ["a.dump.partial"]);
        drop(begun);
        assert!(names().is_empty());

        fs::write(directory.path().join("b.dump.partial"), "").unwrap();
        NamedDump::create(&path)
            .unwrap()
            .finish(AppliedIndex::new(1))
            .unwrap();
        assert_eq!(names(), ["a.dump", "b.dump.partial"]);
        NamedDump::remove_leftovers(directory.path()).unwrap();
        assert_eq!(names(), ["a.dump"]);

        let before = fs::read(&path).unwrap();
        let refused = NamedDump::create(&path).err().unwrap().to_string();
        assert!(refused.contains("a.dump is there already"), "{refused}");
        let other = directory.path().join("c.dump");
        let _first = NamedDump::create(&other).unwrap();
        let refused = NamedDump::create(&other).err().unwrap().to_string();
        assert!(refused.contains("c.dump.partial is being written"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
