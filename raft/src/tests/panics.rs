//! A defect in the storage that panics: nothing is acknowledged after it, and the process can notice and end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use redb::StorageBackend;
use zephyrfs_core::engine::Engine;

use super::support::{PATIENCE, node, start};
use crate::disk::{DatabaseKind, Disk, Memory, SharedBackend};
use crate::error::StoreError;

/// Memory whose writes panic from some moment on, for one of the databases.
#[derive(Clone, Default)]
struct Defective {
    memory: Memory,
    /// 0 while all is well, 1 once the log panics, 2 once the state does.
    which: Arc<AtomicU8>,
}

#[derive(Debug)]
struct DefectiveBackend {
    memory: SharedBackend,
    which: Arc<AtomicU8>,
    mine: u8,
}

impl Disk for Defective {
    type Backend = DefectiveBackend;

    fn open(&self, kind: DatabaseKind) -> Result<DefectiveBackend, StoreError> {
        Ok(DefectiveBackend {
            memory: self.memory.open(kind)?,
            which: Arc::clone(&self.which),
            mine: match kind {
                DatabaseKind::Log => 1,
                DatabaseKind::State | DatabaseKind::Incoming | DatabaseKind::Staging => 2,
            },
        })
    }

    fn exists(&self, kind: DatabaseKind) -> Result<bool, StoreError> {
        self.memory.exists(kind)
    }

    fn rename(&self, from: DatabaseKind, to: DatabaseKind) -> Result<(), StoreError> {
        self.memory.rename(from, to)
    }

    fn remove(&self, kind: DatabaseKind) -> Result<(), StoreError> {
        self.memory.remove(kind)
    }

    fn sync_names(&self) -> Result<(), StoreError> {
        self.memory.sync_names()
    }

    fn name(&self, kind: DatabaseKind) -> String {
        self.memory.name(kind)
    }

    fn size(&self, kind: DatabaseKind) -> u64 {
        self.memory.size(kind)
    }
}

impl StorageBackend for DefectiveBackend {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        assert_ne!(
            self.which.load(Ordering::Relaxed),
            self.mine,
            "a defect of the storage"
        );
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.memory.write(offset, data)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_a_writer_is_noticed_and_nothing_is_acknowledged_after_it() {
    for which in [1, 2] {
        let disk = Defective::default();
        let engine = start(disk.clone()).await;
        engine.execute(node("n1"), PATIENCE).await.unwrap();
        disk.which.store(which, Ordering::Relaxed);
        let write = engine.execute(node("n2"), PATIENCE);
        let answer = tokio::time::timeout(Duration::from_secs(2), write).await;
        if which == 1 {
            assert!(
                !matches!(answer, Ok(Ok(_))),
                "acknowledged without a log: {answer:?}"
            );
        }
        let noticed = async {
            while engine.failure().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let noticed = tokio::time::timeout(Duration::from_secs(30), noticed).await;
        assert!(noticed.is_ok(), "nobody noticed that writer {which} is gone");
        assert!(
            engine.failure().unwrap().contains("panic"),
            "{:?}",
            engine.failure()
        );
    }
}
