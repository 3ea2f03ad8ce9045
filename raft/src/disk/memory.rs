//! Databases in memory, for tests.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::{DatabaseKind, Disk};
use crate::error::StoreError;

/// Databases that live as long as this value: closing one and opening it again finds the same content.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    named: Arc<Mutex<BTreeMap<DatabaseKind, SharedBackend>>>,
}

impl Memory {
    fn named(&self) -> MutexGuard<'_, BTreeMap<DatabaseKind, SharedBackend>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for Memory {
    type Backend = SharedBackend;

    fn open(&self, kind: DatabaseKind) -> Result<SharedBackend, StoreError> {
        Ok(self.named().entry(kind).or_default().clone())
    }

    fn exists(&self, kind: DatabaseKind) -> Result<bool, StoreError> {
        Ok(self.named().contains_key(&kind))
    }

    fn rename(&self, from: DatabaseKind, to: DatabaseKind) -> Result<(), StoreError> {
        let mut named = self.named();
        let renamed = named.remove(&from).ok_or_else(|| StoreError::File {
            doing: "rename",
            path: self.name(from),
            source: io::ErrorKind::NotFound.into(),
        })?;
        named.insert(to, renamed);
        Ok(())
    }

    fn remove(&self, kind: DatabaseKind) -> Result<(), StoreError> {
        self.named().remove(&kind);
        Ok(())
    }

    fn sync_names(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn name(&self, kind: DatabaseKind) -> String {
        format!("{kind:?} in memory")
    }

    fn size(&self, kind: DatabaseKind) -> u64 {
        let backend = self.named().get(&kind).cloned();
        backend.map_or(0, |backend| backend.len().unwrap_or(0))
    }
}

/// A storage in memory that outlives the database on it.
#[derive(Debug, Clone)]
pub struct SharedBackend(Arc<InMemoryBackend>);

impl Default for SharedBackend {
    fn default() -> Self {
        Self(Arc::new(InMemoryBackend::new()))
    }
}

impl StorageBackend for SharedBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
