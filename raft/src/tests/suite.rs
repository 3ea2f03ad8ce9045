//! openraft's own conformance suite over the log and the state machine.

use std::sync::Arc;

use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{StorageError, TokioRuntime};
use tempfile::TempDir;

use crate::disk::{Disk, Files, Memory};
use crate::log::LogStore;
use crate::machine::{Machine, open_state};
use crate::types::Types;
use crate::workers::{Threads, Workers};

type Stores = (LogStore<TokioRuntime>, Machine<TokioRuntime>);

fn open<D: Disk>(disk: &D) -> Stores {
    let workers: Arc<dyn Workers> = Arc::new(Threads);
    let log = LogStore::open(disk, &*workers).unwrap();
    let store = open_state(disk, 8 << 20, &workers, Arc::new(log.clone())).unwrap();
    let raft_id = log.identity().raft_id;
    (log, Machine::new(store, Arc::default(), raft_id))
}

struct InMemory;

impl StoreBuilder<Types<TokioRuntime>, LogStore<TokioRuntime>, Machine<TokioRuntime>> for InMemory {
    async fn build(
        &self,
    ) -> Result<((), LogStore<TokioRuntime>, Machine<TokioRuntime>), StorageError<Types<TokioRuntime>>> {
        let (log, machine) = open(&Memory::default());
        Ok(((), log, machine))
    }
}

struct OnDisk;

impl StoreBuilder<Types<TokioRuntime>, LogStore<TokioRuntime>, Machine<TokioRuntime>, TempDir> for OnDisk {
    async fn build(
        &self,
    ) -> Result<(TempDir, LogStore<TokioRuntime>, Machine<TokioRuntime>), StorageError<Types<TokioRuntime>>>
    {
        let directory = TempDir::new().unwrap();
        let (log, machine) = open(&Files::new(directory.path().join("coordinator.db")).unwrap());
        Ok((directory, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_in_memory_conform() {
    Suite::test_all(InMemory).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_on_disk_conform() {
    Suite::test_all(OnDisk).await.unwrap();
}
