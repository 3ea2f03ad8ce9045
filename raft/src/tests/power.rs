//! A disk that loses its power: what was not synced may be there, or not, sector by sector, and names by the order in which
//! they were changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redb::StorageBackend;

use crate::disk::{DatabaseKind, Disk};
use crate::error::StoreError;

/// What a disk writes at once.
const SECTOR: usize = 512;

/// Databases on one disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct PowerDisk {
    /// What the directory was since it was last synced, oldest first; the last is what it is.
    names: Arc<Mutex<Vec<Names>>>,
    supply: Arc<Supply>,
}

type Names = BTreeMap<DatabaseKind, PowerBackend>;

impl PowerDisk {
    /// Cuts the power: nothing is read or written any more. The disk that comes back has everything that was synced, and of
    /// the rest what chance left.
    pub(super) fn cut(&self, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        self.supply.last_for(0);
        let left = Self::default();
        let names = self.names();
        let moment = random.random_range(0..names.len().max(1));
        let names: Option<Names> = names.get(moment).map(|names| {
            let cut = |(&kind, backend): (_, &PowerBackend)| (kind, backend.cut(&mut random, &left.supply));
            names.iter().map(cut).collect()
        });
        left.names().extend(names);
        left
    }

    /// Takes the disk from a process that ended: that one reads and writes nothing any more, and what it wrote is there.
    pub(super) fn pull(&self) -> Self {
        self.supply.last_for(0);
        let left = Self::default();
        let with_power = |backend: &PowerBackend| PowerBackend {
            platter: Arc::clone(&backend.platter),
            supply: Arc::clone(&left.supply),
        };
        let names = self.names();
        let names = names.iter().map(|names| {
            let pulled = names.iter().map(|(&kind, backend)| (kind, with_power(backend)));
            pulled.collect::<Names>()
        });
        left.names().extend(names);
        left
    }

    /// The power goes after so many more changes.
    pub(super) fn cut_after(&self, changes: u64) {
        self.supply.last_for(changes);
    }

    /// Changes that were made so far.
    pub(super) fn changes(&self) -> u64 {
        self.supply.changes.load(Ordering::Relaxed)
    }

    fn names(&self) -> MutexGuard<'_, Vec<Names>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_names(&self, change: impl FnOnce(&mut Names)) -> Result<(), StoreError> {
        let mut names = self.names();
        let mut now = names.last().cloned().unwrap_or_default();
        if names.is_empty() {
            names.push(now.clone());
        }
        change(&mut now);
        names.push(now);
        self.powered()
    }

    fn powered(&self) -> Result<(), StoreError> {
        self.supply.change().map_err(|source| StoreError::File {
            doing: "change",
            path: "the directory".to_owned(),
            source,
        })
    }
}

impl Disk for PowerDisk {
    type Backend = PowerBackend;

    fn open(&self, kind: DatabaseKind) -> Result<PowerBackend, StoreError> {
        let known = self.names().last().and_then(|names| names.get(&kind).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let made = PowerBackend {
            platter: Arc::default(),
            supply: Arc::clone(&self.supply),
        };
        self.change_names(|names| drop(names.insert(kind, made.clone())))?;
        self.sync_names()?;
        Ok(made)
    }

    fn exists(&self, kind: DatabaseKind) -> Result<bool, StoreError> {
        Ok(self.names().last().is_some_and(|names| names.contains_key(&kind)))
    }

    fn rename(&self, from: DatabaseKind, to: DatabaseKind) -> Result<(), StoreError> {
        self.change_names(|names| {
            let renamed = names.remove(&from).unwrap();
            names.insert(to, renamed);
        })
    }

    fn remove(&self, kind: DatabaseKind) -> Result<(), StoreError> {
        self.change_names(|names| drop(names.remove(&kind)))
    }

    fn sync_names(&self) -> Result<(), StoreError> {
        self.powered()?;
        let mut names = self.names();
        let certain = names.len().saturating_sub(1);
        names.drain(..certain);
        Ok(())
    }

    fn name(&self, kind: DatabaseKind) -> String {
        format!("{kind:?} on a disk without power supply")
    }

    fn size(&self, _kind: DatabaseKind) -> u64 {
        0
    }
}

/// Counts changes, and ends.
#[derive(Debug)]
struct Supply {
    changes: AtomicU64,
    last: AtomicU64,
}

impl Default for Supply {
    fn default() -> Self {
        Self {
            changes: AtomicU64::new(0),
            last: AtomicU64::new(u64::MAX),
        }
    }
}

impl Supply {
    fn last_for(&self, changes: u64) {
        let now = self.changes.load(Ordering::Relaxed);
        self.last.store(now.saturating_add(changes), Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.changes.load(Ordering::Relaxed) >= self.last.load(Ordering::Relaxed) {
            return Err(io::Error::other("no power"));
        }
        Ok(())
    }

    /// The change during which the power goes has begun, and fails.
    fn change(&self) -> io::Result<()> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.check()
    }
}

/// One database on the disk.
#[derive(Debug, Clone)]
pub(super) struct PowerBackend {
    platter: Arc<Mutex<Platter>>,
    supply: Arc<Supply>,
}

#[derive(Debug, Default)]
struct Platter {
    /// What a cut leaves for certain.
    synced: Vec<u8>,
    /// What is read back while there is power.
    cached: Vec<u8>,
    /// Sectors that differ.
    unsynced: BTreeSet<usize>,
}

impl PowerBackend {
    fn platter(&self) -> io::Result<MutexGuard<'_, Platter>> {
        self.supply.check()?;
        Ok(self.platter.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn cut(&self, random: &mut SmallRng, supply: &Arc<Supply>) -> Self {
        let platter = self.platter.lock().unwrap_or_else(PoisonError::into_inner);
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
        Self {
            platter: Arc::new(Mutex::new(platter)),
            supply: Arc::clone(supply),
        }
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
        let mut platter = self.platter()?;
        let grown = platter.cached.len().min(len)..len;
        platter.cached.resize(len, 0);
        // What was cut off and comes back is not what it was.
        platter
            .unsynced
            .extend(grown.start / SECTOR..grown.end.div_ceil(SECTOR));
        self.supply.change()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.platter()?;
        self.supply.change()?;
        let Platter {
            synced,
            cached,
            unsynced,
        } = &mut *platter;
        synced.resize(cached.len(), 0);
        for sector in std::mem::take(unsynced) {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(cached.len());
            if !range.is_empty() {
                synced[range.clone()].copy_from_slice(&cached[range]);
            }
        }
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
        self.supply.change()
    }
}
