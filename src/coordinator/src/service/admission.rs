//! How many writes may wait for the engine at a time, and how much memory they may take: what is over is refused at
//! once, before it costs anything.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zephyrfs_core::Command;

use super::error::ServiceError;
use super::limits::Limits;

/// What a row or an entry of a list takes beside its text.
const ENTRY_BYTES: usize = 64;

/// Counts waiting writes.
pub(super) struct Admission {
    writes: Arc<Semaphore>,
    /// In KiB, since a semaphore counts no further than 32 bits at a time.
    kibibytes: Arc<Semaphore>,
    max_kibibytes: u32,
}

/// A place among the waiting writes; given back when dropped.
pub(super) struct Admitted {
    _write: OwnedSemaphorePermit,
    _kibibytes: OwnedSemaphorePermit,
}

impl Admission {
    /// Room for as many writes as the limits say.
    pub(super) fn new(limits: &Limits) -> Self {
        let max_kibibytes = u32::try_from(limits.max_pending_write_bytes / 1_024)
            .unwrap_or(u32::MAX)
            .max(1);
        Self {
            writes: Arc::new(Semaphore::new(limits.max_pending_writes)),
            kibibytes: Arc::new(Semaphore::new(max_kibibytes as usize)),
            max_kibibytes,
        }
    }

    /// Takes a place for a write.
    ///
    /// # Errors
    /// `Overloaded` if there is none.
    pub(super) fn admit(&self, command: &Command) -> Result<Admitted, ServiceError> {
        let overloaded = |what: &str| ServiceError::Overloaded {
            reason: format!("too many {what} are waiting; nothing was changed: try again in a moment"),
        };
        let write = Arc::clone(&self.writes)
            .try_acquire_owned()
            .map_err(|_| overloaded("writes"))?;
        // One write larger than all the room there is may still go alone.
        let kibibytes = u32::try_from(1 + memory_of(command) / 1_024)
            .unwrap_or(u32::MAX)
            .min(self.max_kibibytes);
        let kibibytes = Arc::clone(&self.kibibytes)
            .try_acquire_many_owned(kibibytes)
            .map_err(|_| overloaded("large writes"))?;
        Ok(Admitted {
            _write: write,
            _kibibytes: kibibytes,
        })
    }
}

/// What a command takes in memory, roughly.
fn memory_of(command: &Command) -> usize {
    let entries =
        |texts: &mut dyn Iterator<Item = usize>| texts.map(|text| text + ENTRY_BYTES).sum::<usize>();
    match command {
        Command::RegisterNode(node) => {
            entries(&mut node.addresses.iter().map(String::len))
                + entries(
                    &mut node
                        .capabilities
                        .iter()
                        .map(|(key, value)| key.len() + value.len()),
                )
        }
        Command::RegisterFile(file) => {
            entries(&mut file.nodes.iter().map(|node| node.as_str().len()))
                + entries(&mut file.chunks.iter().map(|chunk| {
                    chunk.id.as_str().len()
                        + chunk.hash.as_str().len()
                        + chunk.targets.len() * std::mem::size_of::<u32>()
                }))
        }
        Command::UpdateChunkLocations(update) => {
            entries(&mut update.nodes.iter().map(|node| node.as_str().len()))
        }
        Command::RecordHeartbeats(beats) => {
            entries(&mut beats.beats.iter().map(|beat| beat.node.as_str().len()))
        }
        Command::ExpireNodes(nodes) => entries(&mut nodes.nodes.iter().map(|node| node.as_str().len())),
        Command::ForgetExpired(expired) => {
            entries(&mut expired.requests.iter().map(String::len))
                + entries(&mut expired.chunks.iter().map(|chunk| chunk.as_str().len()))
        }
        Command::UnregisterNode(_)
        | Command::SetNodeState(_)
        | Command::DeleteFile(_)
        | Command::ReleaseChunks(_) => ENTRY_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::Command;
    use zephyrfs_core::command::{DeleteFile, LocationChange, UpdateChunkLocations};
    use zephyrfs_core::id::{ChunkId, FileId, NodeId};

    use super::Admission;
    use crate::service::limits::Limits;

    fn small() -> Command {
        Command::DeleteFile(DeleteFile {
            file: FileId::from("f"),
        })
    }

    fn large() -> Command {
        Command::UpdateChunkLocations(UpdateChunkLocations {
            chunk: ChunkId::from("c"),
            nodes: vec![NodeId::from("n".repeat(200)); 1_000],
            change: LocationChange::Add,
            max_replicas: 3,
        })
    }

    fn admission(max_pending_writes: usize, max_pending_write_bytes: usize) -> Admission {
        Admission::new(&Limits {
            max_pending_writes,
            max_pending_write_bytes,
            ..Limits::default()
        })
    }

    #[test]
    fn one_write_too_many_is_refused_until_another_is_done() {
        let admission = admission(2, 1 << 20);
        let first = admission.admit(&small()).unwrap();
        let _second = admission.admit(&small()).unwrap();
        assert!(admission.admit(&small()).is_err());
        drop(first);
        assert!(admission.admit(&small()).is_ok());
    }

    #[test]
    fn large_writes_take_more_room_and_give_all_of_it_back() {
        let admission = admission(10, 300 * 1_024);
        let first = admission.admit(&large()).unwrap();
        assert!(admission.admit(&large()).is_err(), "257 KiB are taken of 300");
        let small_one = admission.admit(&small());
        assert!(small_one.is_ok());
        drop((first, small_one));
        assert!(admission.admit(&large()).is_ok());
    }

    #[test]
    fn a_write_larger_than_all_room_goes_alone() {
        let admission = admission(10, 1_024);
        let alone = admission.admit(&large()).unwrap();
        assert!(admission.admit(&small()).is_err());
        drop(alone);
        assert!(admission.admit(&small()).is_ok());
    }
}
