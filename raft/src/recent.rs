//! What was decided lately, in memory: how a replica finds out what came of a command that it handed to a leader which then
//! was lost.
//!
//! Not part of the state, and never asked while a command is decided: replicas may remember differently. Only a leader
//! that has applied everything from before its term asks, to tell whether the command is in the log already.

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
    order: VecDeque<RequestId>,
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
        let mut inner = self.inner();
        inner.weight += weight(&decision);
        inner.order.push_back(id);
        inner.decisions.insert(id, decision);
        while inner.weight > MAX_WEIGHT {
            let Some(oldest) = inner.order.pop_front() else {
                return;
            };
            if let Some(forgotten) = inner.decisions.remove(&oldest) {
                inner.weight -= weight(&forgotten);
                inner.complete_above = inner.complete_above.max(forgotten.index.get());
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

fn weight(decision: &Decision) -> usize {
    1 + match &decision.result {
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
    use zephyrfs_core::id::RequestId;
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
}
