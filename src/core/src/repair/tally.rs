//! What a pass over all chunks found.

use std::collections::BTreeMap;

use super::Class;
use crate::units::{ByteSize, Timestamp};

/// More copies than this are counted as so many.
const MOST_COPIES: usize = 10;

/// Chunks counted in one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Chunks that files hold.
    pub chunks: u64,
    /// Chunks by how many copies of them are stored on nodes that are in service and heard from.
    pub by_copies: BTreeMap<usize, u64>,
    /// Work that waits or is under way, by class.
    pub waiting: BTreeMap<Class, Waiting>,
    /// Chunks that lack copies because a silent node is waited for.
    pub awaiting_nodes: u64,
    /// Chunks of which no copy is known to be stored: clients may not have brought the first one yet.
    pub unconfirmed: u64,
    /// Chunks that lack copies, and none is left to copy from.
    pub without_source: u64,
}

/// Chunks of which something is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub chunks: u64,
    /// Bytes that are to be copied, or dropped.
    pub bytes: ByteSize,
    /// Since when the one has waited that has waited longest.
    pub oldest: Option<Timestamp>,
}

impl Tally {
    /// A chunk that files hold, with so many sure copies.
    pub(super) fn count(&mut self, copies: usize) {
        self.chunks += 1;
        *self.by_copies.entry(copies.min(MOST_COPIES)).or_default() += 1;
    }

    /// Something is to be done about a chunk, of which so many bytes are to go somewhere.
    pub(super) fn waits(&mut self, class: Class, bytes: ByteSize, since: Option<Timestamp>) {
        let waiting = self.waiting.entry(class).or_default();
        waiting.chunks += 1;
        waiting.bytes = waiting.bytes.plus(bytes);
        waiting.oldest = Timestamp::earlier(waiting.oldest, since);
    }

    /// Adds what another part of the pass found.
    pub fn add(&mut self, other: &Self) {
        self.chunks += other.chunks;
        self.awaiting_nodes += other.awaiting_nodes;
        self.without_source += other.without_source;
        self.unconfirmed += other.unconfirmed;
        for (copies, chunks) in &other.by_copies {
            *self.by_copies.entry(*copies).or_default() += chunks;
        }
        for (class, more) in &other.waiting {
            let waiting = self.waiting.entry(*class).or_default();
            waiting.chunks += more.chunks;
            waiting.bytes = waiting.bytes.plus(more.bytes);
            waiting.oldest = Timestamp::earlier(waiting.oldest, more.oldest);
        }
    }

    /// Whether some chunk has too few copies, or waits for a node.
    pub fn has_lack(&self) -> bool {
        self.awaiting_nodes > 0
            || self
                .waiting
                .iter()
                .any(|(class, waiting)| class.is_lack() && waiting.chunks > 0)
    }
}
