//! A share of what only one cluster on a machine can have: ports, addresses, names of namespaces, a folder.
//!
//! A slot is a file that its holder has locked. The lock goes with the process, however that ends, so whoever gets the
//! slot next may remove all that is left of the holder before.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Clusters that run at a time on one machine, at most.
const SLOTS: u16 = 64;

/// Below the ports that systems hand out by themselves.
const FIRST_PORT: u16 = 20_000;

/// Ports of one slot.
const PORTS: u16 = 64;

/// The variable in the environment of a slot's processes by which they are found again.
const MARK: &str = "ZEPHYRFS_TEST_SLOT";

/// A slot that is held.
pub(super) struct Slot {
    number: u16,
    directory: PathBuf,
    _lock: File,
}

impl Slot {
    /// Takes a free slot, and removes what is left in it. `remove_more` removes what this module does not know of.
    #[allow(clippy::panic, reason = "without a slot there is no test")]
    pub(super) fn take(remove_more: impl Fn(u16)) -> Self {
        let all = all_slots().unwrap_or_else(|error| panic!("no folder for clusters: {error}"));
        for number in 0..SLOTS {
            let lock = lock(&all.join(format!("{number}.lock")));
            let Some(lock) = lock.unwrap_or_else(|error| panic!("cannot lock a slot: {error}")) else {
                continue;
            };
            let slot = Self {
                number,
                directory: all.join(number.to_string()),
                _lock: lock,
            };
            kill_processes(number);
            remove_more(number);
            slot.remove_files();
            if slot.ports().all(is_free) {
                return slot;
            }
        }
        panic!(
            "none of {SLOTS} slots for clusters is free; see {}",
            all.display()
        )
    }

    /// Its number.
    pub(super) const fn number(&self) -> u16 {
        self.number
    }

    /// Its ports.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> + use<> {
        let first = FIRST_PORT + self.number * PORTS;
        first..first + PORTS
    }

    /// A folder for its files.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What every process in it has in its environment.
    pub(super) fn mark(&self) -> (String, String) {
        (MARK.to_owned(), self.number.to_string())
    }

    /// Moves its files to where they stay, and says where that is.
    pub(super) fn keep_files(&self) -> io::Result<PathBuf> {
        let kept = self.directory.with_file_name(format!(
            "failed-{}-{:08x}",
            std::process::id(),
            rand::random::<u32>()
        ));
        fs::rename(&self.directory, &kept)?;
        Ok(kept)
    }

    fn remove_files(&self) {
        // They may not be there; if they cannot be removed, making them again fails, and says so.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.remove_files();
    }
}

/// The folder of all slots of this user: the same for every test run, whatever its environment.
fn all_slots() -> io::Result<PathBuf> {
    let user = fs::metadata("/proc/self")?.uid();
    let path = PathBuf::from(format!("/tmp/zephyrfs-tests-{user}"));
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok()
}

/// Kills the processes of a slot. A process whose environment cannot be read is somebody else's.
fn kill_processes(slot: u16) {
    let mark = format!("{MARK}={slot}");
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
        {
            // It may have ended meanwhile.
            let _ = Command::new("kill").arg("-KILL").arg(entry.file_name()).status();
        }
    }
}
