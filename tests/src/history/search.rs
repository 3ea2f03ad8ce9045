//! The judge that believes no index: a search, after Wing and Gong, for an order of one register's operations that keeps
//! to real time and explains every answer. It goes depth first and remembers where it has been.
//!
//! The time it takes may grow exponentially with the operations that are open at once, so histories are short
//! ([`MOST_OPERATIONS`]) and the search has a limit; a search that ends there is no verdict, and that is a failure.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::{Effect, Operation, Value};

/// Operations of a register that are searched at most.
pub const MOST_OPERATIONS: usize = 300;

/// Places that a search visits at most: some seconds of time, and some hundred megabytes.
const MOST_STEPS: usize = 2_000_000;

/// Why no order was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOrder {
    /// There is none.
    #[error(
        "no order explains the operations on {key}; the longest that could be made has {explained} and cannot go on with any of:{stuck}"
    )]
    Impossible {
        /// The register.
        key: String,
        /// Operations in the longest order that could be made.
        explained: u32,
        /// The operations that could have come next, a line each.
        stuck: String,
    },
    /// The search took too long.
    #[error("no verdict on {key}: the search gave up after {MOST_STEPS} steps")]
    NoVerdict {
        /// The register.
        key: String,
    },
    /// There are too many operations to search.
    #[error("no verdict on {key}: its {operations} operations are more than {MOST_OPERATIONS}")]
    TooLong {
        /// The register.
        key: String,
        /// Operations on it.
        operations: usize,
    },
}

/// Looks for an order of the operations on each register.
///
/// # Errors
/// [`NoOrder`] for the first register that has none, or no verdict.
pub fn search(history: &[Operation]) -> Result<(), NoOrder> {
    let mut keys: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    // A replica's own state may be of any time, so without its index nothing can be said of it.
    let has_order = |operation: &&Operation| !matches!(operation.effect, Effect::Looked(_));
    for operation in history.iter().filter(has_order) {
        keys.entry(&operation.key).or_default().push(operation);
    }
    keys.into_iter()
        .try_for_each(|(key, operations)| search_register(key, operations))
}

fn search_register(key: &str, mut operations: Vec<&Operation>) -> Result<(), NoOrder> {
    let key = key.to_owned();
    if operations.len() > MOST_OPERATIONS {
        return Err(NoOrder::TooLong {
            key,
            operations: operations.len(),
        });
    }
    operations.sort_by_key(|operation| operation.called);
    let seen = first_seen(&operations);
    // An order without the writes that nobody saw is an order with them, too: they never took effect. Only where there is
    // none may one of them have been what a deletion found.
    let is_needed = |operation: &Operation| match operation.effect {
        Effect::MayHaveWritten(value) => seen.contains_key(&value),
        _ => true,
    };
    let needed = operations.iter().copied().filter(|one| is_needed(one)).collect();
    if let Verdict::Explained = Search::new(needed, &seen).run() {
        return Ok(());
    }
    match Search::new(operations, &seen).run() {
        Verdict::Explained => Ok(()),
        Verdict::None => Err(NoOrder::NoVerdict { key }),
        Verdict::Impossible { explained, stuck } => Err(NoOrder::Impossible {
            key,
            explained,
            stuck,
        }),
    }
}

/// By when each value had been seen.
fn first_seen(operations: &[&Operation]) -> BTreeMap<Value, Duration> {
    let mut seen = BTreeMap::new();
    for operation in operations {
        if let Effect::Read(Some(value)) = operation.effect {
            let first = seen.entry(value).or_insert(operation.returned);
            *first = operation.returned.min(*first);
        }
    }
    seen
}

/// What a search came to.
enum Verdict {
    Explained,
    Impossible { explained: u32, stuck: String },
    None,
}

/// Which operations are in the order so far, and what the register holds after them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Reached {
    done: [u64; MOST_OPERATIONS.div_ceil(64)],
    state: Option<Value>,
}

impl Reached {
    fn has(&self, number: usize) -> bool {
        self.done[number / 64] & (1 << (number % 64)) != 0
    }

    fn count(&self) -> u32 {
        self.done.iter().map(|word| word.count_ones()).sum()
    }

    /// With one more operation, if it explains that one.
    fn with(&self, number: usize, effect: Effect) -> Option<Self> {
        let state = match (effect, self.state) {
            (Effect::Wrote(value) | Effect::MayHaveWritten(value), _) => Some(value),
            (Effect::Deleted, Some(_)) | (Effect::MayHaveDeleted, _) | (Effect::FoundNothing, None) => None,
            (Effect::Read(seen) | Effect::Looked(seen), state) if seen == state => state,
            (Effect::Deleted, None)
            | (Effect::FoundNothing, Some(_))
            | (Effect::Read(_) | Effect::Looked(_), _) => {
                return None;
            }
        };
        let mut next = *self;
        next.done[number / 64] |= 1 << (number % 64);
        next.state = state;
        Some(next)
    }
}

struct Search<'a> {
    /// In the order in which they were called.
    operations: Vec<&'a Operation>,
    /// By when each must have taken effect; [`Duration::MAX`] if it need not at all.
    ends: Vec<Duration>,
}

impl<'a> Search<'a> {
    fn new(operations: Vec<&'a Operation>, seen: &BTreeMap<Value, Duration>) -> Self {
        let end = |operation: &&Operation| match operation.effect {
            // It was written before whoever saw it first had the answer.
            Effect::MayHaveWritten(value) => seen.get(&value).copied().unwrap_or(Duration::MAX),
            Effect::MayHaveDeleted => Duration::MAX,
            Effect::Wrote(_)
            | Effect::Deleted
            | Effect::FoundNothing
            | Effect::Read(_)
            | Effect::Looked(_) => operation.returned,
        };
        let ends = operations.iter().map(end).collect();
        Self { operations, ends }
    }

    fn run(&self) -> Verdict {
        let start = Reached::default();
        let (mut visited, mut open, mut best) = (HashSet::from([start]), vec![start], start);
        while let Some(reached) = open.pop() {
            let (candidates, is_finished) = self.candidates(&reached);
            if is_finished {
                return Verdict::Explained;
            }
            if visited.len() > MOST_STEPS {
                return Verdict::None;
            }
            if reached.count() > best.count() {
                best = reached;
            }
            // The most urgent one lies on top, and is looked at first.
            let nexts = self.nexts(&reached, &candidates);
            open.extend(nexts.into_iter().rev().filter(|next| visited.insert(*next)));
        }
        let (stuck, _) = self.candidates(&best);
        Verdict::Impossible {
            explained: best.count(),
            stuck: stuck.into_iter().fold(String::new(), |mut text, number| {
                let _ = write!(text, "\n  {}", self.operations[number]);
                text
            }),
        }
    }

    /// Where the candidates lead to, if anywhere.
    fn nexts(&self, reached: &Reached, candidates: &[usize]) -> Vec<Reached> {
        let mut nexts = Vec::with_capacity(candidates.len());
        for &number in candidates {
            let effect = self.operations[number].effect;
            if let Some(next) = reached.with(number, effect) {
                // What only looked can be in nobody's way: if there is any order, there is one in which it comes now.
                if matches!(effect, Effect::Read(_) | Effect::FoundNothing) {
                    return vec![next];
                }
                nexts.push(next);
            }
        }
        nexts
    }

    /// The operations that may come next, the most urgent first; and whether none of those that are left must come at all.
    fn candidates(&self, reached: &Reached) -> (Vec<usize>, bool) {
        let left = || (0..self.operations.len()).filter(|number| !reached.has(*number));
        let end = left()
            .map(|number| self.ends[number])
            .min()
            .unwrap_or(Duration::MAX);
        let mut candidates: Vec<_> = left()
            .take_while(|number| self.operations[*number].called <= end)
            .collect();
        candidates.sort_by_key(|number| self.ends[*number]);
        (candidates, end == Duration::MAX)
    }
}
