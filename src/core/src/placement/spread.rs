//! Spreading over failure domains: which nodes share the fewest with those that a chunk is on already.

use std::ops::Range;

use super::domain::LEVELS;
use super::topology::Topology;

/// Leaves that are equally far from what was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// How many of the chosen share the leaves' domains, a byte for each level, the widest in the highest: so that the
    /// smallest number is the best spread.
    pub(super) shared: u32,
    /// The leaves.
    pub(super) leaves: Range<u32>,
}

/// Sorts all leaves but the chosen ones by how they spread, best first.
///
/// Every leaf that shares nothing below some domain with the chosen is alike, so there are few stretches, whatever the
/// number of leaves. `chosen` ascends. Without `over_domains`, all leaves are alike.
pub(super) fn stretches(topology: &Topology, chosen: &[u32], over_domains: bool, into: &mut Vec<Stretch>) {
    into.clear();
    let level = if over_domains { 0 } else { LEVELS };
    descend(topology, chosen, topology.everywhere(), level, 0, into);
    into.sort_unstable_by_key(|stretch| (stretch.shared, stretch.leaves.start));
}

/// Adds the leaves within a domain of the level above, which contains all of `chosen`.
fn descend(
    topology: &Topology,
    mut chosen: &[u32],
    within: Range<u32>,
    level: usize,
    shared: u32,
    into: &mut Vec<Stretch>,
) {
    let add = |leaves: Range<u32>, into: &mut Vec<Stretch>| {
        if !leaves.is_empty() {
            into.push(Stretch { shared, leaves });
        }
    };
    let mut from = within.start;
    while let Some(&first) = chosen.first() {
        let domain = topology.domain(first, level);
        add(from..domain.start, into);
        let (inside, outside) = chosen.split_at(chosen.partition_point(|&leaf| leaf < domain.end));
        if level < LEVELS {
            let count = u32::try_from(inside.len()).unwrap_or(u32::MAX).min(255);
            let shared = shared | count << (8 * (LEVELS - 1 - level));
            descend(topology, inside, domain.clone(), level + 1, shared, into);
        }
        from = domain.end;
        chosen = outside;
    }
    add(from..within.end, into);
}
