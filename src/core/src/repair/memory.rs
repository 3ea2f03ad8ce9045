//! What a leader remembers from one round to the next. None of it is needed: a new leader begins without, and only waits
//! a little longer where this one would not have.

use std::collections::BTreeMap;

use super::Budget;
use crate::id::{ChunkId, NodeId, digest};
use crate::units::{Millis, Timestamp};

/// So many chunks with more copies than wanted are remembered; the others wait their turn.
const MAX_SURPLUS: usize = 500_000;

/// A node that does not bring its copies is left alone for so many times its first pause, at most.
const LONGEST_PAUSE: u32 = 32;

/// What a node did not bring is forgotten when it was left alone, and not blamed since for so many pauses.
const FORGIVEN_AFTER: u32 = 8;

/// What a leader remembers.
#[derive(Debug, Default)]
pub struct Memory {
    /// Since when chunks have more copies than wanted, by a digest of their ids.
    surplus: BTreeMap<u64, Surplus>,
    /// Counts the passes over all chunks.
    pass: u64,
    failed: BTreeMap<NodeId, Failures>,
    /// What may be copied now.
    pub budget: Budget,
    /// Whether copies are being moved from full nodes to empty ones.
    pub rebalances: bool,
}

/// A chunk that has more copies than wanted, or is about to.
#[derive(Debug, Clone)]
struct Surplus {
    since: Timestamp,
    /// The node whose copy was replaced by one at a better place.
    from: Option<NodeId>,
    /// The last pass that saw it.
    seen: u64,
}

/// What a node did not bring.
#[derive(Debug, Clone, Copy)]
struct Failures {
    in_a_row: u32,
    until: Timestamp,
}

impl Memory {
    /// Nothing is remembered.
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            ..Self::default()
        }
    }

    /// Since when a chunk that has more copies than wanted has had them, as far as is known, and the node whose copy is to go
    /// before others, if one was moved. `None` if there is no room to remember it.
    pub fn surplus_since(&mut self, chunk: &ChunkId, now: Timestamp) -> Option<(Timestamp, Option<NodeId>)> {
        let key = digest(chunk);
        if let Some(known) = self.surplus.get_mut(&key) {
            known.seen = self.pass;
            return Some((known.since, known.from.clone()));
        }
        self.remember(key, now, None).then_some((now, None))
    }

    /// A chunk is being moved from a node: the copy that it will have too many is no surprise, and need not be kept for long.
    pub fn expect_surplus(&mut self, chunk: &ChunkId, from: &NodeId) {
        self.remember(digest(chunk), Timestamp::EPOCH, Some(from.clone()));
    }

    /// A chunk that is being moved was seen, with the move under way.
    pub fn still_expected(&mut self, chunk: &ChunkId) {
        if self.surplus.is_empty() {
            return;
        }
        if let Some(known) = self.surplus.get_mut(&digest(chunk)) {
            known.seen = self.pass;
        }
    }

    /// A chunk has no more copies than wanted.
    pub fn no_surplus(&mut self, chunk: &ChunkId) {
        if !self.surplus.is_empty() {
            self.surplus.remove(&digest(chunk));
        }
    }

    /// A pass over all chunks is done: what it did not see is forgotten, such as chunks that were deleted.
    pub fn end_pass(&mut self) {
        let pass = self.pass;
        self.surplus.retain(|_, known| known.seen >= pass);
        self.pass += 1;
    }

    fn remember(&mut self, key: u64, since: Timestamp, from: Option<NodeId>) -> bool {
        let has_room = self.surplus.len() < MAX_SURPLUS;
        if has_room {
            let seen = self.pass;
            self.surplus.insert(key, Surplus { since, from, seen });
        }
        has_room
    }

    /// A node did not bring copies that it was told to fetch: it is left alone, the longer the more often that happens. While
    /// it is, what else it does not bring was told to it before and says nothing new.
    pub fn failed(&mut self, node: &NodeId, now: Timestamp, pause: Millis) {
        if self.backs_off_until(node, now).is_some() {
            return;
        }
        let before = self.failed.get(node).map_or(0, |failures| failures.in_a_row);
        let until = now.plus(pause.times(2_u32.saturating_pow(before).min(LONGEST_PAUSE)));
        let failures = Failures {
            in_a_row: before.saturating_add(1),
            until,
        };
        self.failed.insert(node.clone(), failures);
    }

    /// Until when a node is left alone, if it is.
    pub fn backs_off_until(&self, node: &NodeId, now: Timestamp) -> Option<Timestamp> {
        let failures = self.failed.get(node)?;
        (now < failures.until).then_some(failures.until)
    }

    /// Forgets what does not matter any more: failures of nodes that were left alone, and not since for as long again.
    pub fn tidy(&mut self, now: Timestamp, pause: Millis) {
        self.failed
            .retain(|_, failures| now < failures.until.plus(pause.times(FORGIVEN_AFTER)));
        self.budget.tidy(now);
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::id::{ChunkId, NodeId};
    use crate::units::{Millis, Timestamp};

    const PAUSE: Millis = Millis::from_seconds(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Millis::from_seconds(seconds))
    }

    #[test]
    fn a_surplus_is_remembered_since_it_was_first_seen() {
        let mut memory = Memory::default();
        let (a, b, n) = (ChunkId::from("a"), ChunkId::from("b"), NodeId::from("n"));
        assert_eq!(memory.surplus_since(&a, at(10)), Some((at(10), None)));
        assert_eq!(memory.surplus_since(&a, at(20)), Some((at(10), None)));
        memory.no_surplus(&a);
        assert_eq!(memory.surplus_since(&a, at(30)), Some((at(30), None)));
        memory.expect_surplus(&b, &n);
        assert_eq!(memory.surplus_since(&b, at(30)), Some((at(0), Some(n))));
    }

    #[test]
    fn what_a_pass_does_not_see_is_forgotten() {
        let mut memory = Memory::default();
        let (a, b, c) = (ChunkId::from("a"), ChunkId::from("b"), ChunkId::from("c"));
        for chunk in [&a, &b] {
            memory.surplus_since(chunk, at(10));
        }
        memory.expect_surplus(&c, &NodeId::from("n"));
        memory.end_pass();
        memory.surplus_since(&a, at(20));
        memory.still_expected(&c);
        memory.end_pass();
        assert_eq!(memory.surplus.len(), 2, "the other chunk was deleted meanwhile");
    }

    #[test]
    fn a_node_that_fails_is_left_alone_longer_each_time_and_not_for_ever() {
        let mut memory = Memory::default();
        let node = NodeId::from("n");
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            memory.failed(&node, now, PAUSE);
            // What was told at the same time comes to nothing soon after.
            memory.failed(&node, now.plus(Millis::new(1)), PAUSE);
            let until = memory.backs_off_until(&node, now).unwrap();
            pauses.push(until.since(now).get() / 60_000);
            assert_eq!(memory.backs_off_until(&node, until), None);
            now = until;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
        memory.tidy(now, PAUSE);
        assert_eq!(memory.failed.len(), 1, "not long enough");
        memory.tidy(now.plus(PAUSE.times(8)), PAUSE);
        assert!(memory.failed.is_empty());
    }
}
