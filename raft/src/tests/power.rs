//! A disk that loses its power: what was not synced may be there, or not, sector by sector.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redb::StorageBackend;

use crate::disk::{DatabaseKind, Disk};
use crate::error::StoreError;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// Two databases on one disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct PowerDisk {
    log: PowerBackend,
    state: PowerBackend,
}

impl PowerDisk {
    /// Cuts the power: nothing is read or written any more. The disk that comes back has everything that was synced, and of
    /// the rest what chance left.
    pub(super) fn cut(&self, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        Self {
            log: self.log.cut(&mut random),
            state: self.state.cut(&mut random),
        }
    }
}

impl Disk for PowerDisk {
    type Backend = PowerBackend;

    fn open(&self, kind: DatabaseKind) -> Result<PowerBackend, StoreError> {
        Ok(match kind {
            DatabaseKind::Log => self.log.clone(),
            DatabaseKind::State => self.state.clone(),
        })
    }

    fn name(&self, kind: DatabaseKind) -> String {
        format!("{kind:?} on a disk without power supply")
    }

    fn size(&self, _kind: DatabaseKind) -> u64 {
        0
    }
}

/// One database on the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct PowerBackend(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What a cut leaves for certain.
    synced: Vec<u8>,
    /// What is read back while there is power.
    cached: Vec<u8>,
    /// Sectors that differ.
    unsynced: BTreeSet<usize>,
    is_dead: bool,
}

impl PowerBackend {
    fn platter(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let platter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if platter.is_dead {
            Err(io::Error::other("no power"))
        } else {
            Ok(platter)
        }
    }

    fn cut(&self, random: &mut SmallRng) -> Self {
        let mut platter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        platter.is_dead = true;
        let mut left = platter.synced.clone();
        if random.random_bool(0.5) {
            left.resize(platter.cached.len(), 0);
        }
        for &sector in &platter.unsynced {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(left.len()).min(platter.cached.len());
            if !range.is_empty() && random.random_bool(0.5) {
                left[range.clone()].copy_from_slice(&platter.cached[range]);
            }
        }
        let platter = Platter {
            synced: left.clone(),
            cached: left,
            ..Platter::default()
        };
        Self(Arc::new(Mutex::new(platter)))
    }
}

impl StorageBackend for PowerBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter()?.cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter()?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = platter
            .cached
            .get(from..from + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.platter()?.cached.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter()?;
        platter.synced = platter.cached.clone();
        platter.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.platter()?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let to = from + data.len();
        platter
            .cached
            .get_mut(from..to)
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        platter.unsynced.extend(from / SECTOR..=(to - 1) / SECTOR);
        Ok(())
    }
}
