//! How many bytes the log keeps, and up to where they would have to go for it to keep fewer.

use std::collections::VecDeque;

use redb::ReadableTable;

use crate::error::{Doing, StoreError};

/// A mark is made every so many bytes: a few thousand of them cover the largest log that is kept.
const MARK_BYTES: u64 = 1 << 20;

/// A log that is opened is weighed by so many of its entries.
const SAMPLES: u64 = 256;

/// Bytes of the entries that are kept, roughly.
#[derive(Debug, Default)]
pub(super) struct Volume {
    /// Ascending.
    marks: VecDeque<Mark>,
    /// Bytes of every entry up to the last one, counted from somewhere.
    end: u64,
    /// Bytes of every entry that is gone, counted from the same place.
    start: u64,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    index: u64,
    /// Bytes of every entry up to this one.
    end: u64,
}

impl Volume {
    /// Weighs the entries on disk from an index on by a sample: reading all of them would take too long. It may be wrong by
    /// a factor if few entries make up most of the bytes; what is appended from now on is counted.
    pub(super) fn estimate(
        entries: &impl ReadableTable<u64, &'static [u8]>,
        first: u64,
    ) -> Result<Self, StoreError> {
        let mut volume = Self::default();
        let last = entries.last().doing("read the last entry")?;
        let Some(last) = last.map(|(index, _)| index.value()).filter(|&last| last >= first) else {
            return Ok(volume);
        };
        let step = (last - first) / SAMPLES + 1;
        let mut from = first;
        while from <= last {
            let to = (from + step - 1).min(last);
            let sample = entries.range(from..=to).doing("weigh the log")?.next();
            if let Some(entry) = sample {
                let (_, bytes) = entry.doing("weigh the log")?;
                volume.push(to, bytes.value().len() as u64 * (to - from + 1));
            }
            from = to + 1;
        }
        Ok(volume)
    }

    /// Entries up to an index were added, of so many bytes.
    pub(super) fn push(&mut self, index: u64, bytes: u64) {
        self.end += bytes;
        if self.end - self.marks.back().map_or(self.start, |mark| mark.end) >= MARK_BYTES {
            self.marks.push_back(Mark { index, end: self.end });
        }
    }

    /// The last entry was taken back.
    pub(super) fn pop(&mut self, bytes: u64) {
        self.end = self.end.saturating_sub(bytes).max(self.start);
    }

    /// Entries after an index were taken back; those that were in memory are popped already.
    pub(super) fn truncate(&mut self, keep: Option<u64>) {
        while self.marks.back().is_some_and(|mark| Some(mark.index) > keep) {
            // Whatever was not popped goes as well, but for what lies behind the mark before.
            self.end = self
                .marks
                .pop_back()
                .map_or(self.end, |mark| mark.end.min(self.end));
        }
        self.end = self
            .end
            .max(self.marks.back().map_or(self.start, |mark| mark.end));
    }

    /// Entries up to an index are gone.
    pub(super) fn purge(&mut self, upto: u64) {
        while let Some(mark) = self.marks.front().filter(|mark| mark.index <= upto) {
            self.start = mark.end;
            self.marks.pop_front();
        }
    }

    /// Nothing is left.
    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.start = self.end;
    }

    /// Bytes that are kept.
    pub(super) const fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// Up to where entries would have to go so that at most so many bytes are left; none if it is no more than that.
    pub(super) fn excess(&self, limit: u64) -> Option<u64> {
        if self.bytes() <= limit {
            return None;
        }
        let enough = self.marks.partition_point(|mark| self.end - mark.end > limit);
        self.marks.get(enough).map(|mark| mark.index)
    }
}

#[cfg(test)]
mod tests {
    use super::{MARK_BYTES, Volume};

    /// So many entries, from an index on, of half a mark each.
    fn push(volume: &mut Volume, indexes: std::ops::RangeInclusive<u64>) {
        indexes.for_each(|index| volume.push(index, MARK_BYTES / 2));
    }

    #[test]
    fn it_says_what_to_purge_to_keep_so_many_bytes() {
        let mut volume = Volume::default();
        push(&mut volume, 1..=20);
        assert_eq!(volume.bytes(), 10 * MARK_BYTES);
        assert_eq!(volume.excess(10 * MARK_BYTES), None);
        assert_eq!(volume.excess(4 * MARK_BYTES), Some(12));
        volume.purge(12);
        assert_eq!(volume.bytes(), 4 * MARK_BYTES);
        assert_eq!(volume.excess(4 * MARK_BYTES), None);
        volume.clear();
        assert_eq!((volume.bytes(), volume.excess(0)), (0, None));
    }

    #[test]
    fn what_is_truncated_does_not_count() {
        let mut volume = Volume::default();
        push(&mut volume, 1..=20);
        // Three that are in memory, of nine.
        (0..3).for_each(|_| volume.pop(MARK_BYTES / 2));
        volume.truncate(Some(11));
        let kept = volume.bytes();
        assert!((5 * MARK_BYTES..=6 * MARK_BYTES).contains(&kept), "{kept}");
        push(&mut volume, 12..=20);
        assert_eq!(volume.excess(2 * MARK_BYTES).map(|index| index / 2), Some(8));
        volume.truncate(None);
        assert!(volume.bytes() <= MARK_BYTES);
    }
}
