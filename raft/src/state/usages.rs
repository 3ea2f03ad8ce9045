//! What lies on each node, by its handle: kept along with every change of a chunk, and written down with each commit.

use std::collections::BTreeSet;
use std::ops::Bound;

use zephyrfs_core::Usage;
use zephyrfs_core::event::Recorder;

use super::segment::Record;
use super::{decode, encode};
use crate::error::StoreError;
use crate::kv::{Layer, Layered, Stamp, Table};

/// The usage of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Usages {
    by_handle: Vec<Usage>,
    /// Those that the layer in memory does not have.
    changed: BTreeSet<u32>,
}

/// What is counted when a chunk changes.
pub(super) struct Counts<'a> {
    pub(super) recorder: Recorder<'a>,
    pub(super) usages: &'a mut Usages,
}

impl Usages {
    /// Reads the usage of every node.
    pub(super) fn load(layered: &Layered) -> Result<Self, StoreError> {
        let mut usages = Self::default();
        for pair in layered.range(Table::Usage, (Bound::Unbounded, Bound::Unbounded))? {
            let (key, value) = pair?;
            let handle = <[u8; 4]>::try_from(&*key)
                .map(u32::from_be_bytes)
                .map_err(|_| StoreError::corrupt(Table::Usage.name(), "a key of another length"))?;
            *usages.slot(handle) = decode(Table::Usage, &value)?;
        }
        Ok(usages)
    }

    /// What lies on the node of a handle.
    pub(super) fn of(&self, handle: u32) -> Usage {
        self.by_handle.get(handle as usize).copied().unwrap_or_default()
    }

    /// A chunk's record was written.
    pub(super) fn add(&mut self, record: &Record) {
        for handle in record.users() {
            self.slot(handle).add(record.size());
            self.changed.insert(handle);
        }
    }

    /// A chunk's record was taken out, or is about to be replaced.
    pub(super) fn remove(&mut self, record: &Record) {
        for handle in record.users() {
            self.slot(handle).remove(record.size());
            self.changed.insert(handle);
        }
    }

    /// What changed so far is in a layer that is being written.
    pub(super) fn stamped(&mut self) {
        self.changed.clear();
    }

    fn slot(&mut self, handle: u32) -> &mut Usage {
        let at = handle as usize;
        if self.by_handle.len() <= at {
            self.by_handle.resize(at + 1, Usage::default());
        }
        &mut self.by_handle[at]
    }
}

impl Stamp for Usages {
    fn stamp(&self, layer: &mut Layer) -> Result<(), StoreError> {
        for &handle in &self.changed {
            let usage = encode(Table::Usage, &self.of(handle))?;
            layer.set(Table::Usage, &handle.to_be_bytes(), Some(usage.into()));
        }
        Ok(())
    }
}
