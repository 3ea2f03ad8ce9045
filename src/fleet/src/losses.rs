//! What was on the disks of nodes that failed, until as many copies are elsewhere: the measure of a repair.
//!
//! Fed by the scheduler. It knows the truth of the simulated disks, not what the coordinator believes.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::chunk_id::ChunkId;

/// The copies that went with nodes, and those that have been made for them.
#[derive(Debug, Default)]
pub struct Losses {
    state: Mutex<State>,
    begun: CancellationToken,
    repairing: CancellationToken,
    whole: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// How many copies each chunk still lacks.
    lacking: HashMap<ChunkId, u32>,
    lost: u64,
    beyond: u64,
    copied: u64,
    returned: u64,
    since: Option<Instant>,
    first_copy: Option<Instant>,
    whole: Option<Instant>,
}

/// What was lost, and how long it took to have it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LossSummary {
    /// Copies on the disks of nodes when they failed.
    pub copies_lost: u64,
    /// Those of chunks of which no copy was left anywhere: nobody can make them.
    pub copies_beyond_repair: u64,
    /// Copies made for the others on other nodes.
    pub copies_made: u64,
    /// Copies that came back with their nodes before that.
    pub copies_returned: u64,
    /// From the first failure to the first copy: how long the coordinator waited for the nodes.
    pub first_copy_seconds: Option<f64>,
    /// From the first failure until nothing was lacking; absent while something is.
    pub whole_seconds: Option<f64>,
}

impl fmt::Display for LossSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LossSummary {
            copies_lost,
            copies_beyond_repair,
            copies_made,
            copies_returned,
            first_copy_seconds,
            whole_seconds,
        } = *self;
        write!(
            formatter,
            "{copies_lost} copies, {copies_beyond_repair} of them beyond repair; {copies_made} made anew"
        )?;
        if let Some(first) = first_copy_seconds {
            write!(formatter, ", the first after {first:.1} s")?;
        }
        write!(formatter, "; {copies_returned} came back; ")?;
        let lacking = copies_lost.saturating_sub(copies_made + copies_returned + copies_beyond_repair);
        match whole_seconds {
            Some(whole) => write!(formatter, "whole again after {whole:.1} s"),
            None => write!(formatter, "{lacking} still lacking"),
        }
    }
}

impl Losses {
    /// A node failed with these chunks on its disk.
    pub fn lost(&self, chunks: impl Iterator<Item = ChunkId>, now: Instant) {
        {
            let mut state = self.lock();
            state.since.get_or_insert(now);
            for chunk in chunks {
                *state.lacking.entry(chunk).or_default() += 1;
                state.lost += 1;
            }
            if !state.lacking.is_empty() {
                state.whole = None;
            }
        }
        self.begun.cancel();
    }

    /// A node has made a copy of a chunk, and the coordinator knows.
    pub fn copied(&self, chunk: &ChunkId, now: Instant) {
        let mut state = self.lock();
        if state.regain(chunk, now) {
            state.copied += 1;
            state.first_copy.get_or_insert(now);
            self.repairing.cancel();
        }
        self.settle(&state);
    }

    /// A node is back with these chunks on its disk.
    pub fn returned(&self, chunks: impl Iterator<Item = ChunkId>, now: Instant) {
        let mut state = self.lock();
        for chunk in chunks {
            if state.regain(&chunk, now) {
                state.returned += 1;
            }
        }
        self.settle(&state);
    }

    /// The chunks of which copies are lacking.
    #[must_use]
    pub fn lacking(&self) -> HashSet<ChunkId> {
        self.lock().lacking.keys().cloned().collect()
    }

    /// Of these chunks no node that answers has a copy: they are waited for no longer.
    pub fn beyond_repair(&self, chunks: &HashSet<ChunkId>, now: Instant) {
        let mut state = self.lock();
        for chunk in chunks {
            state.beyond += state.lacking.remove(chunk).map_or(0, u64::from);
        }
        if state.lacking.is_empty() {
            state.whole = Some(now);
        }
        self.settle(&state);
    }

    /// Is cancelled when the first node fails.
    #[must_use]
    pub fn begun(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Is cancelled when the first copy is made for one that was lost.
    #[must_use]
    pub fn repairing(&self) -> CancellationToken {
        self.repairing.clone()
    }

    /// Is cancelled when everything that was lost is there again for the first time.
    #[must_use]
    pub fn whole(&self) -> CancellationToken {
        self.whole.clone()
    }

    /// How it went; `None` if no node failed.
    #[must_use]
    pub fn summary(&self) -> Option<LossSummary> {
        let state = self.lock();
        let since = state.since?;
        let seconds = |at: Instant| at.saturating_duration_since(since).as_secs_f64();
        Some(LossSummary {
            copies_lost: state.lost,
            copies_beyond_repair: state.beyond,
            copies_made: state.copied,
            copies_returned: state.returned,
            first_copy_seconds: state.first_copy.map(seconds),
            whole_seconds: state.whole.map(seconds),
        })
    }

    fn settle(&self, state: &State) {
        if state.whole.is_some() {
            self.whole.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this copy was lacking.
    fn regain(&mut self, chunk: &ChunkId, now: Instant) -> bool {
        let Some(lacking) = self.lacking.get_mut(chunk) else {
            return false;
        };
        *lacking -= 1;
        if *lacking == 0 {
            self.lacking.remove(chunk);
        }
        if self.lacking.is_empty() {
            self.whole = Some(now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LossSummary, Losses};
    use crate::chunk_id::ChunkId;

    #[test]
    fn everything_is_whole_when_each_lost_copy_was_made_or_came_back() {
        let [a, b, c] = ["a", "b", "c"].map(ChunkId::from);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let losses = Losses::default();
        assert_eq!(losses.summary(), None);
        losses.lost([a.clone(), b.clone()].into_iter(), at(0));
        losses.lost([a.clone(), c.clone()].into_iter(), at(0));
        assert_eq!(losses.lacking(), [a.clone(), b.clone(), c.clone()].into());
        losses.beyond_repair(&[c.clone()].into(), at(1));
        assert!(losses.begun().is_cancelled());
        losses.copied(&c, at(1));
        losses.copied(&a, at(2));
        losses.copied(&b, at(3));
        assert!(!losses.whole().is_cancelled(), "a lacks a second copy");
        losses.returned([a.clone(), b].into_iter(), at(4));
        assert!(losses.whole().is_cancelled());
        losses.copied(&a, at(5));
        let expected = LossSummary {
            copies_lost: 4,
            copies_beyond_repair: 1,
            copies_made: 2,
            copies_returned: 1,
            first_copy_seconds: Some(2.0),
            whole_seconds: Some(4.0),
        };
        assert_eq!(losses.summary(), Some(expected));
    }
}
