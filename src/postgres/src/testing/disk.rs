//! File systems that are soon full.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Server, give_to_server};

/// A file system of a few megabytes in memory. It goes with this, also while a test fails.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Makes one of so many megabytes; `None` for want of the right to, which only root has.
    ///
    /// # Panics
    /// If there is no place for it, or if this is the run in CI, which has to have the right.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let at = std::env::temp_dir().join(format!("coordinator-disk-{:x}", rand::random::<u64>()));
        std::fs::create_dir(&at).expect("a directory for the file system");
        let disk = Self { at };
        let size = format!("size={megabytes}m");
        if disk.run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"]) {
            give_to_server(&disk.at);
            return Some(disk);
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must be able to mount a small file system"
        );
        None
    }

    /// A directory in it that is not there yet.
    pub fn path(&self) -> PathBuf {
        self.at.join("data")
    }

    /// Fills it up.
    ///
    /// # Panics
    /// If it does not say that it is full.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file in the way");
        let nothing = [0; 4_096];
        let full = loop {
            if let Err(error) = ballast.write_all(&nothing) {
                break error;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    /// Takes away what filled it up.
    ///
    /// # Panics
    /// If nothing did.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("a file in the way");
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let status = Command::new(program).args(arguments).arg(&self.at).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps it as long as that is so.
        let _unmounted = self.run("umount", &["--lazy"]);
        let _removed = std::fs::remove_dir(&self.at);
    }
}

impl Server {
    /// Where a database is found whose tables lie in a directory.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn url_at(&self, database: &str, directory: &Path) -> String {
        std::fs::create_dir(directory).expect("a directory for the tables");
        give_to_server(directory);
        for statement in [
            format!("CREATE TABLESPACE {database} LOCATION '{}'", directory.display()),
            format!("CREATE DATABASE {database} TABLESPACE {database}"),
        ] {
            self.sql("postgres", &statement).expect("a database in its place");
        }
        self.url(database)
    }
}
