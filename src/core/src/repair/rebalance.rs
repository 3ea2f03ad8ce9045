//! Which nodes are so much fuller than the others that copies should move.

use std::collections::BTreeMap;

use crate::id::NodeId;
use crate::placement::Candidate;
use crate::units::ByteSize;

/// Copies begin to move when a node is fuller than the mean by so much, in permille of its space.
const BEGINS_ABOVE: u64 = 100;

/// They stop when none is fuller than the mean by more than this. The distance keeps it from beginning again at once.
const ENDS_BELOW: u64 = 50;

/// Nodes that should give copies away, and nodes that can take them, each with how many bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imbalance {
    /// What is to leave each of the full nodes.
    pub excess: BTreeMap<NodeId, ByteSize>,
    /// What each of the empty ones takes until it is as full as the mean.
    pub room: BTreeMap<NodeId, ByteSize>,
}

impl Imbalance {
    /// Looks at the nodes in service. `rebalances` says whether copies are being moved already.
    pub fn of<'a>(candidates: impl IntoIterator<Item = &'a Candidate>, rebalances: bool) -> Self {
        let fit: Vec<&Candidate> = candidates
            .into_iter()
            .filter(|one| one.unfit.is_none() && !one.is_held && one.capacity > ByteSize::ZERO)
            .collect();
        let sum = |of: fn(&Candidate) -> ByteSize| -> u128 {
            fit.iter().map(|candidate| u128::from(of(candidate).get())).sum()
        };
        let (used, capacity) = (sum(|one| one.used), sum(|one| one.capacity));
        let mean = used
            .saturating_mul(1_000)
            .checked_div(capacity)
            .map_or(0, |mean| u64::try_from(mean).unwrap_or(u64::MAX));
        let begins = fit
            .iter()
            .any(|one| one.used_permille() > mean.saturating_add(BEGINS_ABOVE));
        if !begins && !rebalances {
            return Self::default();
        }
        let mut imbalance = Self::default();
        for candidate in fit {
            let fill = candidate.used_permille();
            let bytes = |permille: u64| {
                let bytes = u128::from(candidate.capacity.get()) * u128::from(permille) / 1_000;
                ByteSize::new(u64::try_from(bytes).unwrap_or(u64::MAX))
            };
            if fill > mean.saturating_add(ENDS_BELOW) {
                let excess = bytes(fill - mean - ENDS_BELOW);
                imbalance.excess.insert(candidate.id.clone(), excess);
            } else if fill < mean {
                imbalance.room.insert(candidate.id.clone(), bytes(mean - fill));
            }
        }
        imbalance
    }

    /// Whether nothing is to move.
    pub fn is_even(&self) -> bool {
        self.excess.is_empty() || self.room.is_empty()
    }

    /// A copy of so many bytes moves.
    pub fn moved(&mut self, from: &NodeId, to: &NodeId, size: ByteSize) {
        for (side, node) in [(&mut self.excess, from), (&mut self.room, to)] {
            if let Some(left) = side.get_mut(node) {
                *left = left.minus(size);
                if *left == ByteSize::ZERO {
                    side.remove(node);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Imbalance;
    use crate::placement::{Candidate, Domain, Exclusion};
    use crate::units::ByteSize;

    fn node(id: &str, capacity: u64, used: u64) -> Candidate {
        Candidate {
            id: id.into(),
            unfit: None,
            domain: Domain::default(),
            capacity: ByteSize::new(capacity),
            used: ByteSize::new(used),
            free: ByteSize::new(capacity - used),
            load: 0,
            is_held: false,
        }
    }

    #[test]
    fn copies_begin_to_move_at_a_tenth_above_the_mean_and_stop_at_half_of_that() {
        let nodes = |fullest| {
            let rest = (2_000 - fullest) / 4;
            let mut nodes: Vec<_> = (0..4).map(|n| node(&format!("n{n}"), 1_000, rest)).collect();
            nodes.push(node("full", 1_000, fullest));
            nodes
        };
        assert!(Imbalance::of(&nodes(500), false).is_even());
        let begun = Imbalance::of(&nodes(504), false);
        assert_eq!(begun.excess[&"full".into()], ByteSize::new(54));
        assert_eq!(begun.room.len(), 4);
        assert!(!Imbalance::of(&nodes(460), true).is_even(), "it goes on");
        assert!(Imbalance::of(&nodes(448), true).is_even());
    }

    #[test]
    fn a_new_empty_node_is_filled_from_those_that_are_fuller_than_the_mean() {
        let mut nodes: Vec<_> = (0..4).map(|n| node(&format!("n{n}"), 1_000, 800)).collect();
        nodes.push(node("new", 1_000, 0));
        let mut imbalance = Imbalance::of(&nodes, false);
        assert_eq!(imbalance.excess.len(), 4);
        assert_eq!(imbalance.room[&"new".into()], ByteSize::new(640));
        imbalance.moved(&"n0".into(), &"new".into(), ByteSize::new(110));
        assert_eq!(
            (imbalance.excess.len(), imbalance.room[&"new".into()]),
            (3, ByteSize::new(530))
        );
    }

    #[test]
    fn nodes_that_take_nothing_are_no_part_of_it() {
        let mut full = node("full", 1_000, 900);
        full.unfit = Some(Exclusion::Draining);
        let nodes = [full, node("a", 1_000, 100), node("b", 0, 0)];
        assert!(Imbalance::of(&nodes, true).is_even());
        assert!(Imbalance::of(&[], true).is_even());
    }
}
