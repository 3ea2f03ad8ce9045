//! The judge that believes the indexes: all operations in the order of their indexes must be one that clients could not
//! tell from the real one, and each register must have gone through it. Nearly linear, so it takes whole histories.
//!
//! Operations without an index of their own float: each may be put, once, between the indexes where it could have taken
//! effect. Where several could explain a deletion the judge takes the most urgent one, and where a deletion only says
//! that there was something it asks no more than that something could have been; [`search`](super::search) is stricter.

use std::collections::{BTreeMap, HashMap};

use super::{Effect, Operation, Place, Value};

/// What was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered {
    /// Acknowledged commands.
    pub commands: usize,
    /// Reads of all kinds.
    pub reads: usize,
}

/// Why no order of indexes explains a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// An answer without an index cannot be judged.
    #[error("the answer does not say where it took effect:\n  {0}")]
    NoIndex(Box<Operation>),
    /// Two commands cannot have one place.
    #[error("two commands have the same index:\n  {0}\n  {1}")]
    SameIndex(Box<Operation>, Box<Operation>),
    /// One was answered before the other was asked, and comes after it.
    #[error("the later one comes first in the order of indexes:\n  {0}\n  {1}")]
    BackInTime(Box<Operation>, Box<Operation>),
    /// What was seen was not there.
    #[error("there was {state:?} since index {since}, and nothing that could have changed it:\n  {seen}")]
    WrongState {
        /// The operation that saw something else.
        seen: Box<Operation>,
        /// What was there.
        state: Option<Value>,
        /// The index at which it was seen last.
        since: u64,
    },
    /// An acknowledged write would have had to be seen.
    #[error("it was acknowledged, and there is no place where it could have gone unseen:\n  {0}")]
    NeverThere(Box<Operation>),
}

/// Judges a history by the indexes in its answers.
///
/// # Errors
/// The first [`Contradiction`] that is found.
pub fn check_order(history: &[Operation]) -> Result<Ordered, Contradiction> {
    for operation in history {
        if operation.effect.is_answered() && operation.place.index().is_none() {
            return Err(Contradiction::NoIndex(boxed(operation)));
        }
    }
    check_places(history)?;
    let placed = check_time(history)?;
    let mut keys: BTreeMap<&str, Vec<Placed<'_>>> = BTreeMap::new();
    for operation in placed {
        keys.entry(&operation.operation.key).or_default().push(operation);
    }
    for operations in keys.values() {
        check_register(operations)?;
    }
    let count = |what: fn(&Effect) -> bool| history.iter().filter(|one| what(&one.effect)).count();
    Ok(Ordered {
        commands: count(|effect| effect.is_command()),
        reads: count(|effect| matches!(effect, Effect::Read(_) | Effect::Looked(_))),
    })
}

fn boxed(operation: &Operation) -> Box<Operation> {
    Box::new(operation.clone())
}

fn check_places(history: &[Operation]) -> Result<(), Contradiction> {
    let mut places = HashMap::new();
    for operation in history.iter().filter(|operation| operation.effect.is_command()) {
        if let Some(other) = places.insert(operation.place.index(), operation) {
            return Err(Contradiction::SameIndex(boxed(other), boxed(operation)));
        }
    }
    Ok(())
}

/// An operation, and the last index that had been shown to anybody when it was asked.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    operation: &'a Operation,
    after: u64,
}

/// Checks that nobody was shown an index and asked later, and was told an earlier one.
fn check_time(history: &[Operation]) -> Result<Vec<Placed<'_>>, Contradiction> {
    let mut by_call: Vec<_> = history.iter().collect();
    by_call.sort_by_key(|operation| operation.called);
    let mut by_return: Vec<_> = history.iter().filter(|one| one.effect.is_answered()).collect();
    by_return.sort_by_key(|operation| operation.returned);
    let mut ended = by_return.into_iter().peekable();
    let mut latest: Option<&Operation> = None;
    let mut placed = Vec::with_capacity(history.len());
    for operation in by_call {
        while let Some(earlier) = ended.next_if(|earlier| earlier.is_before(operation)) {
            if latest.is_none_or(|latest| latest.place.index() < earlier.place.index()) {
                latest = Some(earlier);
            }
        }
        let after = latest.and_then(|latest| latest.place.index()).unwrap_or(0);
        let least = match operation.effect {
            // A command is put after whatever was there when it was asked; a read may be of that very state.
            Effect::Wrote(_) | Effect::Deleted | Effect::FoundNothing => after + 1,
            Effect::Read(_) | Effect::MayHaveWritten(_) | Effect::MayHaveDeleted => after,
            Effect::Looked(_) => 0,
        };
        if let (Some(latest), Some(index)) = (latest, operation.place.index())
            && index < least
        {
            return Err(Contradiction::BackInTime(boxed(latest), boxed(operation)));
        }
        placed.push(Placed { operation, after });
    }
    Ok(placed)
}

/// A change that has no index of its own: it took effect once, after `after` and not after `up_to`.
struct Floating<'a> {
    operation: &'a Operation,
    /// What it leaves behind.
    content: Option<Value>,
    after: u64,
    up_to: u64,
    is_used: bool,
}

impl Floating<'_> {
    /// Whether it could have taken effect after one index and not after another.
    fn fits(&self, after: u64, up_to: u64) -> bool {
        self.after.max(after) < self.up_to.min(up_to)
    }
}

/// A register, as far as its operations have been followed.
struct Register<'a> {
    state: Option<Value>,
    /// The last index at which that was surely the state.
    seen_at: u64,
    floating: Vec<Floating<'a>>,
    gaps: Vec<Gap>,
}

/// Indexes, the first not included, between which something may have happened unseen.
struct Gap {
    after: u64,
    up_to: u64,
    /// Nothing was there at both ends. What was written in between was deleted in between.
    is_empty_around: bool,
}

impl Register<'_> {
    /// The state becomes `state` at `index`; what was before it may have been anything for a while.
    fn change(&mut self, state: Option<Value>, index: u64) {
        self.open_gap(index.saturating_sub(1), false);
        self.state = state;
        self.seen_at = index;
    }

    /// `wanted` was seen at `index` by an operation that would have seen changes up to `up_to`.
    fn see(&mut self, wanted: Option<Value>, up_to: u64, seen: &Operation) -> Result<(), Contradiction> {
        if self.state != wanted {
            let seen_at = self.seen_at;
            let candidates = self.floating.iter_mut().filter(|one| {
                !one.is_used
                    && one.content == wanted
                    && one.fits(seen_at, up_to)
                    && one.operation.called < seen.returned
            });
            let Some(cause) = candidates.min_by_key(|one| one.up_to) else {
                return Err(self.wrong(seen));
            };
            cause.is_used = true;
            self.open_gap(up_to, false);
            self.state = wanted;
        } else if wanted.is_none() {
            self.open_gap(up_to, true);
        }
        self.seen_at = up_to;
        Ok(())
    }

    fn open_gap(&mut self, up_to: u64, is_empty_around: bool) {
        self.gaps.push(Gap {
            after: self.seen_at,
            up_to,
            is_empty_around,
        });
    }

    /// Whether a change could have happened unseen.
    fn could_hide(&self, one: &Floating<'_>) -> bool {
        self.gaps.iter().any(|gap| {
            // Deletions are alike, so one that was taken for another may be the one that was needed here.
            let has_counterpart = || {
                self.floating.iter().any(|other| {
                    other.content.is_some() != one.content.is_some() && other.fits(gap.after, gap.up_to)
                })
            };
            one.fits(gap.after, gap.up_to) && (!gap.is_empty_around || has_counterpart())
        })
    }

    /// Something was there before `index`.
    fn see_something(&self, index: u64, seen: &Operation) -> Result<(), Contradiction> {
        let could_be = |one: &Floating<'_>| {
            !one.is_used && one.content.is_some() && one.fits(self.seen_at, index.saturating_sub(1))
        };
        if self.state.is_some() || self.floating.iter().any(could_be) {
            Ok(())
        } else {
            Err(self.wrong(seen))
        }
    }

    fn wrong(&self, seen: &Operation) -> Contradiction {
        Contradiction::WrongState {
            seen: boxed(seen),
            state: self.state,
            since: self.seen_at,
        }
    }
}

fn check_register(operations: &[Placed<'_>]) -> Result<(), Contradiction> {
    let mut register = Register {
        state: None,
        seen_at: 0,
        floating: operations.iter().filter_map(floating).collect(),
        gaps: Vec::new(),
    };
    let mut fixed: Vec<_> = operations
        .iter()
        .filter_map(|placed| match placed.operation.place {
            Place::At(index) => Some((index, placed.operation)),
            Place::UpTo(_) | Place::Unknown => None,
        })
        .collect();
    fixed.sort_by_key(|(index, operation)| (*index, !operation.effect.is_command(), operation.called));
    for (index, operation) in fixed {
        match operation.effect {
            Effect::Wrote(value) => register.change(Some(value), index),
            Effect::Deleted => {
                register.see_something(index, operation)?;
                register.change(None, index);
            }
            Effect::FoundNothing => {
                register.see(None, index.saturating_sub(1), operation)?;
                register.seen_at = index;
            }
            Effect::Read(seen) | Effect::Looked(seen) => register.see(seen, index, operation)?,
            Effect::MayHaveWritten(_) | Effect::MayHaveDeleted => {}
        }
    }
    register.open_gap(u64::MAX, false);
    let mut unseen = register
        .floating
        .iter()
        .filter(|one| !one.is_used && one.operation.effect.is_answered());
    match unseen.find(|one| !register.could_hide(one)) {
        Some(one) => Err(Contradiction::NeverThere(boxed(one.operation))),
        None => Ok(()),
    }
}

fn floating<'a>(placed: &Placed<'a>) -> Option<Floating<'a>> {
    let Placed { operation, after } = *placed;
    let up_to = match operation.place {
        Place::At(_) => return None,
        Place::UpTo(index) => index,
        Place::Unknown => u64::MAX,
    };
    let content = match operation.effect {
        Effect::Wrote(value) | Effect::MayHaveWritten(value) => Some(value),
        Effect::Deleted | Effect::MayHaveDeleted => None,
        Effect::FoundNothing | Effect::Read(_) | Effect::Looked(_) => return None,
    };
    Some(Floating {
        operation,
        content,
        after,
        up_to,
        is_used: false,
    })
}
