//! Databases in memory, for tests.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::{DatabaseKind, Disk};
use crate::error::StoreError;

/// Databases that live as long as this value: closing one and opening it again finds the same content.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    log: SharedBackend,
    state: SharedBackend,
}

impl Memory {
    fn backend(&self, kind: DatabaseKind) -> &SharedBackend {
        match kind {
            DatabaseKind::Log => &self.log,
            DatabaseKind::State => &self.state,
        }
    }
}

impl Disk for Memory {
    type Backend = SharedBackend;

    fn open(&self, kind: DatabaseKind) -> Result<SharedBackend, StoreError> {
        Ok(self.backend(kind).clone())
    }

    fn name(&self, kind: DatabaseKind) -> String {
        format!("{kind:?} in memory")
    }

    fn size(&self, kind: DatabaseKind) -> u64 {
        self.backend(kind).len().unwrap_or(0)
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
