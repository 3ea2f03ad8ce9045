//! Looking at a database without changing it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

const PAGE: usize = 4096;

/// A storage whose changes stay in memory: opening a database marks it as open, and repairs it after a crash.
#[derive(Debug)]
pub(super) struct Untouched<B> {
    below: B,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// Before here, what is in no page is as it is below; from here on it is zero.
    from_below: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl<B: StorageBackend> Untouched<B> {
    /// # Errors
    /// If its length cannot be read.
    pub(super) fn new(below: B) -> io::Result<Self> {
        let len = below.len()?;
        let over = Over {
            len,
            from_below: len,
            pages: BTreeMap::new(),
        };
        Ok(Self {
            below,
            over: Mutex::new(over),
        })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a page holds.
    fn page<'a>(&self, over: &'a mut Over, number: u64) -> io::Result<&'a mut [u8; PAGE]> {
        use std::collections::btree_map::Entry;

        match over.pages.entry(number) {
            Entry::Occupied(page) => Ok(page.into_mut()),
            Entry::Vacant(vacant) => {
                let mut page = Box::new([0; PAGE]);
                let start = number * PAGE as u64;
                let there = over.from_below.saturating_sub(start).min(PAGE as u64);
                // At most a page.
                let there = usize::try_from(there).map_err(io::Error::other)?;
                if there > 0 {
                    self.below.read(start, &mut page[..there])?;
                }
                Ok(vacant.insert(page))
            }
        }
    }
}

/// The pages of a range: number, where in the page, and where in the range.
fn pages_of(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, usize)> {
    let end = offset + len as u64;
    (offset / PAGE as u64..end.div_ceil(PAGE as u64)).map(move |number| {
        let start = number * PAGE as u64;
        // Each of these is at most the length of a page, or of the range.
        let from = offset.saturating_sub(start) as usize;
        let to = (end - start).min(PAGE as u64) as usize;
        (number, from..to, start.saturating_sub(offset) as usize)
    })
}

impl<B: StorageBackend> StorageBackend for Untouched<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        let end = offset + out.len() as u64;
        if end > over.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = over.from_below.saturating_sub(offset).min(out.len() as u64);
        let there = usize::try_from(there).map_err(io::Error::other)?;
        if there > 0 {
            self.below.read(offset, &mut out[..there])?;
        }
        out[there..].fill(0);
        for (number, within, at) in pages_of(offset, out.len()) {
            if let Some(page) = over.pages.get(&number) {
                out[at..at + within.len()].copy_from_slice(&page[within]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        if len < over.len {
            let cut = usize::try_from(len % PAGE as u64).map_err(io::Error::other)?;
            if cut > 0 {
                self.page(&mut over, len / PAGE as u64)?[cut..].fill(0);
            }
            let _ = over.pages.split_off(&len.div_ceil(PAGE as u64));
        }
        over.from_below = over.from_below.min(len);
        over.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        if offset + data.len() as u64 > over.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, at) in pages_of(offset, data.len()) {
            let length = within.len();
            self.page(&mut over, number)?[within].copy_from_slice(&data[at..at + length]);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    use redb::StorageBackend;
    use redb::backends::InMemoryBackend;

    use super::Untouched;

    fn content(backend: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(backend.len().unwrap()).unwrap()];
        backend.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_reads_back_what_was_written_and_changes_nothing_below() {
        let mut random = SmallRng::seed_from_u64(5);
        let below = InMemoryBackend::new();
        below.set_len(30_000).unwrap();
        below.write(0, &[7; 30_000]).unwrap();
        let untouched = Untouched::new(below).unwrap();
        let mut model = content(&untouched);
        for step in 0..500_u32 {
            if step % 50 == 49 {
                let len = random.random_range(10_000..60_000);
                untouched.set_len(len as u64).unwrap();
                model.resize(len, 0);
            }
            let at = random.random_range(0..model.len());
            let length = random.random_range(0..=(model.len() - at).min(9_000));
            let data = vec![step.to_le_bytes()[0]; length];
            untouched.write(at as u64, &data).unwrap();
            model[at..at + length].copy_from_slice(&data);
            let at = random.random_range(0..model.len());
            let mut read = vec![0; random.random_range(0..=(model.len() - at).min(9_000))];
            untouched.read(at as u64, &mut read).unwrap();
            assert_eq!(read, &model[at..at + read.len()], "step {step}");
        }
        assert_eq!(content(&untouched), model);
        assert!(untouched.read(model.len() as u64, &mut [0]).is_err());
        assert_eq!(content(&untouched.below), vec![7; 30_000]);
    }
}
