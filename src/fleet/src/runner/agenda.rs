//! What is to be done when: a queue ordered by time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Things to do, the earliest first; those of the same time in the order in which they were added.
#[derive(Debug)]
pub struct Agenda<T> {
    entries: BinaryHeap<Entry<T>>,
    added: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    number: u64,
    item: T,
}

impl<T> Agenda<T> {
    /// An empty agenda.
    #[must_use]
    pub fn new() -> Self {
        Agenda {
            entries: BinaryHeap::new(),
            added: 0,
        }
    }

    /// Adds something to do at that time.
    pub fn add(&mut self, at: Instant, item: T) {
        self.added += 1;
        self.entries.push(Entry {
            at,
            number: self.added,
            item,
        });
    }

    /// When the earliest is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// Takes the earliest, if it is due.
    pub fn take_due(&mut self, now: Instant) -> Option<T> {
        let due = self.next_at().is_some_and(|at| at <= now);
        if due {
            self.entries.pop().map(|entry| entry.item)
        } else {
            None
        }
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Agenda::new()
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives its greatest first: what comes sooner is the greater.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Agenda;

    #[test]
    fn the_earliest_comes_first_and_only_when_it_is_due() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut agenda = Agenda::new();
        agenda.add(later, "third");
        agenda.add(now, "first");
        agenda.add(now, "second");
        assert_eq!(agenda.next_at(), Some(now));
        assert_eq!(agenda.take_due(now), Some("first"));
        assert_eq!(agenda.take_due(now), Some("second"));
        assert_eq!(agenda.take_due(now), None);
        assert_eq!(agenda.take_due(later), Some("third"));
        assert_eq!(agenda.next_at(), None);
    }
}
