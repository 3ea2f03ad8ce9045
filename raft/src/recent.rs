//! What was decided lately, in memory: how a replica finds out what came of a command that it handed to a leader which then
//! was lost.
//!
//! Not part of the state, and never asked while a command is decided: replicas may remember differently. Only a leader
//! that has applied everything from before its term asks, to tell whether the command is in the log already.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zephyrfs_core::id::RequestId;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Rejection, Response};

/// What was decided about a command, and where in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The index.
    pub index: AppliedIndex,
    /// The answer.
    pub result: Result<Response, Rejection>,
}

/// The last decisions of this replica.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    decisions: HashMap<RequestId, Arc<Decision>>,
    /// By index. A command that was decided once more is here twice, and only the later place counts.
    order: VecDeque<(RequestId, AppliedIndex)>,
    weight: usize,
    /// Every command decided above this index is here.
    complete_above: u64,
}

/// What is known of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// It was decided.
    Decided(Arc<Decision>),
    /// It was not decided above the index that was asked for.
    Nowhere,
    /// It may have been decided so long ago that nothing is known of it.
    Forgotten,
}

/// Decisions are kept up to so much, in units of about 200 bytes.
const MAX_WEIGHT: usize = 32_768;

impl Recent {
    /// Forgets everything: the state is that of this index now.
    pub(crate) fn start_at(&self, index: u64) {
        *self.inner() = Inner {
            complete_above: index,
            ..Inner::default()
        };
    }

    /// Remembers a decision. They come in order.
    pub(crate) fn add(&self, id: RequestId, decision: Arc<Decision>) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        inner.weight += weight(&decision);
        inner.order.push_back((id, decision.index));
        if let Some(replaced) = inner.decisions.insert(id, decision) {
            // Its place in the order stays until it is the oldest, and weighs as much as a place does.
            inner.weight -= weight(&replaced) - PLACE_WEIGHT;
        }
        while inner.weight > MAX_WEIGHT {
            let Some((id, index)) = inner.order.pop_front() else {
                return;
            };
            match inner.decisions.entry(id) {
                Entry::Occupied(oldest) if oldest.get().index == index => {
                    inner.weight -= weight(&oldest.remove());
                    inner.complete_above = inner.complete_above.max(index.get());
                }
                _ => inner.weight -= PLACE_WEIGHT,
            }
        }
    }

    /// What is known of a command that cannot have been decided at `above` or before.
    pub(crate) fn find(&self, id: RequestId, above: u64) -> Found {
        let inner = self.inner();
        match inner.decisions.get(&id) {
            Some(decision) => Found::Decided(Arc::clone(decision)),
            None if inner.complete_above <= above => Found::Nowhere,
            None => Found::Forgotten,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a decision weighs at least, and a place in the order by itself.
const PLACE_WEIGHT: usize = 1;

fn weight(decision: &Decision) -> usize {
    PLACE_WEIGHT
        + match &decision.result {
            Ok(Response::FileRegistered { placements, .. }) => placements.len(),
            Ok(Response::HeartbeatsRecorded { refused }) => refused.len(),
            Ok(Response::NodesExpired {
                inactive,
                back_in_service,
            }) => inactive.len() + back_in_service.len(),
            Ok(_) | Err(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zephyrfs_core::Response;
    use zephyrfs_core::id::{NodeId, RequestId};
    use zephyrfs_core::units::AppliedIndex;

    use super::{Decision, Found, MAX_WEIGHT, Recent};

    fn id(number: u64) -> RequestId {
        RequestId::from_bytes(u128::from(number).to_be_bytes())
    }

    fn decision(index: u64) -> Arc<Decision> {
        Arc::new(Decision {
            index: AppliedIndex::new(index),
            result: Ok(Response::FileDeleted),
        })
    }

    #[test]
    fn a_command_is_nowhere_only_if_everything_since_is_remembered() {
        let recent = Recent::default();
        recent.start_at(10);
        recent.add(id(11), decision(11));
        assert_eq!(recent.find(id(11), 10), Found::Decided(decision(11)));
        assert_eq!(recent.find(id(12), 10), Found::Nowhere);
        assert_eq!(
            recent.find(id(12), 9),
            Found::Forgotten,
            "nothing is known from before the start"
        );
    }

    #[test]
    fn the_oldest_are_forgotten_and_known_to_be() {
        let recent = Recent::default();
        let last = MAX_WEIGHT as u64 + 5;
        for index in 1..=last {
            recent.add(id(index), decision(index));
        }
        assert_eq!(recent.find(id(1), 0), Found::Forgotten);
        assert_eq!(recent.find(id(last), 0), Found::Decided(decision(last)));
        assert_eq!(recent.find(id(last + 1), last - 1), Found::Nowhere);
        recent.start_at(last);
        assert_eq!(recent.find(id(last), last - 1), Found::Forgotten);
    }

    /// A decision that weighs 9.
    fn heavy(index: u64) -> Arc<Decision> {
        let refused = (0..8).map(|number| NodeId::from(format!("n{number}").as_str()));
        Arc::new(Decision {
            index: AppliedIndex::new(index),
            result: Ok(Response::HeartbeatsRecorded {
                refused: refused.collect(),
            }),
        })
    }

    #[test]
    fn a_command_decided_again_takes_no_room_for_good() {
        let recent = Recent::default();
        let often = MAX_WEIGHT as u64;
        for index in 1..=often {
            recent.add(id(1), heavy(index));
        }
        assert_eq!(recent.find(id(1), often - 1), Found::Decided(heavy(often)));
        // As many as fit.
        let last = often + MAX_WEIGHT as u64;
        for index in often + 1..=last {
            recent.add(id(index), decision(index));
        }
        assert_eq!(recent.find(id(last), often), Found::Decided(decision(last)));
        assert_eq!(
            recent.find(id(often + 1), often),
            Found::Decided(decision(often + 1))
        );
        assert_eq!(recent.find(id(last + 1), often), Found::Nowhere);
    }

    #[test]
    fn a_command_decided_again_is_forgotten_by_its_later_place() {
        let recent = Recent::default();
        recent.add(id(1), decision(1));
        let again = MAX_WEIGHT as u64;
        for index in 2..again {
            recent.add(id(index), decision(index));
        }
        recent.add(id(1), decision(again));
        recent.add(id(again + 1), decision(again + 1));
        recent.add(id(again + 2), decision(again + 2));
        assert_eq!(recent.find(id(1), 1), Found::Decided(decision(again)));
        assert_eq!(recent.find(id(2), 1), Found::Forgotten);
    }
}
