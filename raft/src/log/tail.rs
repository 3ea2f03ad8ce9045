//! The end of the log in memory: what is not on disk yet, and the latest of what is.

use std::collections::VecDeque;

use openraft::EntryPayload;
use openraft::type_config::AsyncRuntime;

use super::volume::Volume;
use super::{Entry, LogId, Vote};

/// Durable entries are kept in memory up to about so many bytes: applying and sending them needs no disk then.
const KEEP_BYTES: usize = 4 << 20;

/// What an entry costs in memory beside its command, roughly.
const ENTRY_OVERHEAD: usize = 256;

/// The log as it is from now on, whether or not the disk has caught up.
pub(super) struct Tail<R: AsyncRuntime> {
    entries: VecDeque<Entry<R>>,
    bytes: usize,
    /// Entries up to this index are on disk.
    durable: Option<u64>,
    /// Truncations so far, whether or not the disk has seen them.
    truncations: u64,
    /// Of all entries that are kept, in memory or not.
    volume: Volume,
    pub(super) last: Option<LogId<R>>,
    pub(super) purged: Option<LogId<R>>,
    pub(super) vote: Option<Vote<R>>,
    pub(super) committed: Option<LogId<R>>,
}

impl<R: AsyncRuntime> Tail<R> {
    /// Nothing in memory yet over what is on disk.
    pub(super) fn new(
        last: Option<LogId<R>>,
        purged: Option<LogId<R>>,
        vote: Option<Vote<R>>,
        committed: Option<LogId<R>>,
        volume: Volume,
    ) -> Self {
        let durable = last.as_ref().map(|last| last.index);
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            durable,
            truncations: 0,
            volume,
            last,
            purged,
            vote,
            committed,
        }
    }

    /// The index of the first entry in memory.
    pub(super) fn first_index(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.log_id.index)
    }

    /// Entries in memory from `start`, which must not lie before the first one, to before `end`.
    pub(super) fn range(&self, start: u64, end: u64) -> impl Iterator<Item = &Entry<R>> {
        let first = self.first_index().unwrap_or(start);
        let place = |index: u64| usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
        let to = place(end).min(self.entries.len());
        self.entries.range(place(start).min(to)..to)
    }

    /// Truncations so far, whether or not the disk has seen them.
    pub(super) const fn truncations(&self) -> u64 {
        self.truncations
    }

    /// How many bytes are kept.
    pub(super) const fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Adds an entry behind the last one.
    pub(super) fn push(&mut self, entry: Entry<R>) {
        self.last = Some(entry.log_id);
        let size = size_of::<R>(&entry);
        self.bytes += size;
        self.volume.push(entry.log_id.index, size as u64);
        self.entries.push_back(entry);
    }

    /// Drops the entries after an index.
    pub(super) fn truncate(&mut self, after: Option<LogId<R>>) {
        self.truncations += 1;
        let keep = after.as_ref().map(|after| after.index);
        if self.last.as_ref().map(|last| last.index) <= keep {
            return;
        }
        while self
            .entries
            .back()
            .is_some_and(|entry| Some(entry.log_id.index) > keep)
        {
            let dropped = self.entries.pop_back();
            let size = dropped.as_ref().map_or(0, size_of::<R>);
            self.bytes -= size;
            self.volume.pop(size as u64);
        }
        self.volume.truncate(keep);
        self.durable = self.durable.min(keep);
        self.last = after;
    }

    /// Drops the entries up to an index; they need not be on disk.
    pub(super) fn purge(&mut self, upto: LogId<R>) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.log_id.index <= upto.index)
        {
            self.pop_front();
        }
        self.volume.purge(upto.index);
        if self.last.is_none_or(|last| last.index <= upto.index) {
            self.volume.clear();
        }
        if self.last.is_none_or(|last| last.index < upto.index) {
            self.last = Some(upto);
        }
        self.purged = self.purged.max(Some(upto));
    }

    /// Entries up to an index are on disk, after so many truncations: the oldest of them may leave memory.
    pub(super) fn now_durable(&mut self, index: Option<u64>, truncations: u64) {
        // Entries that a truncation took back meanwhile may have successors under the same indexes.
        if truncations != self.truncations {
            return;
        }
        self.durable = self.durable.max(index);
        while self.bytes > KEEP_BYTES
            && self
                .entries
                .front()
                .is_some_and(|entry| Some(entry.log_id.index) <= self.durable)
        {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        let dropped = self.entries.pop_front();
        self.bytes -= dropped.as_ref().map_or(0, size_of::<R>);
    }
}

/// About how many bytes an entry takes in memory and on the wire.
pub(super) fn size_of<R: AsyncRuntime>(entry: &Entry<R>) -> usize {
    ENTRY_OVERHEAD
        + match &entry.payload {
            EntryPayload::Normal(command) => command.bytes().len(),
            EntryPayload::Blank | EntryPayload::Membership(_) => 0,
        }
}
