//! Reading entries back: from memory where they are, else from disk.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::type_config::AsyncRuntime;
use openraft::{OptionalSend, RaftLogReader};
use redb::{Database, ReadableDatabase};

use super::record::{ENTRIES, decode_entry};
use super::shared::Shared;
use super::tail::size_of;
use super::{Entry, LogId, Vote};
use crate::error::{Doing, StoreError};
use crate::types::Types;

/// A batch for a follower stops growing here, well below what a message may hold.
const BATCH_BYTES: usize = 2 << 20;

/// Reads the log.
pub(crate) struct LogReader<R: AsyncRuntime> {
    shared: Arc<Shared<R>>,
    database: Arc<Database>,
}

impl<R: AsyncRuntime> Clone for LogReader<R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            database: Arc::clone(&self.database),
        }
    }
}

impl<R: AsyncRuntime> LogReader<R> {
    pub(super) fn new(shared: Arc<Shared<R>>, database: Arc<Database>) -> Self {
        Self { shared, database }
    }

    /// Entries from `start` to before `end`, as many as fit into `bytes`, at least one if there is one.
    fn read(&self, start: u64, end: u64, bytes: usize) -> Result<Vec<Entry<R>>, StoreError> {
        let mut batch = Batch {
            entries: Vec::new(),
            left: bytes,
        };
        // The disk may still hold entries that are truncated or purged by now.
        let (start, end) = {
            let tail = self.shared.tail();
            let after = |log_id: Option<LogId<R>>| log_id.map_or(0, |log_id| log_id.index + 1);
            (start.max(after(tail.purged)), end.min(after(tail.last)))
        };
        let mut from = start;
        loop {
            // What is not in memory is on disk: entries leave memory only once they are durable. They may leave while the
            // disk is read, so memory is asked again until it has what comes next.
            let in_memory_from = {
                let tail = self.shared.tail();
                let first = tail.first_index().unwrap_or(u64::MAX);
                if from >= end || first <= from {
                    for entry in tail.range(from, end.max(from)) {
                        if !batch.add(entry.clone()) {
                            break;
                        }
                    }
                    return Ok(batch.entries);
                }
                first.min(end)
            };
            if !self.read_from_disk(from, in_memory_from, &mut batch)? {
                return Ok(batch.entries);
            }
            from = in_memory_from;
        }
    }

    /// Answers whether the batch still has room.
    fn read_from_disk(&self, start: u64, end: u64, batch: &mut Batch<R>) -> Result<bool, StoreError> {
        let transaction = self.database.begin_read().doing("begin reading the log")?;
        let entries = transaction.open_table(ENTRIES).doing("open the log's entries")?;
        for entry in entries.range(start..end.max(start)).doing("read the log")? {
            let (index, bytes) = entry.doing("read the log")?;
            if !batch.add(decode_entry::<R>(index.value(), bytes.value())?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

struct Batch<R: AsyncRuntime> {
    entries: Vec<Entry<R>>,
    left: usize,
}

impl<R: AsyncRuntime> Batch<R> {
    /// Answers whether there is room for more.
    fn add(&mut self, entry: Entry<R>) -> bool {
        let size = size_of::<R>(&entry);
        if !self.entries.is_empty() && size > self.left {
            return false;
        }
        self.left = self.left.saturating_sub(size);
        self.entries.push(entry);
        true
    }
}

impl<R: AsyncRuntime> RaftLogReader<Types<R>> for LogReader<R> {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry<R>>>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => u64::MAX,
        };
        Ok(self.read(start, end, usize::MAX)?)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote<R>>> {
        Ok(self.shared.tail().vote)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry<R>>> {
        Ok(self.read(start, end, BATCH_BYTES)?)
    }
}
