//! The nodes that chunks can be placed on, arranged by failure domain.
//!
//! Nodes lie in one array, sorted by domain, so that every domain is a range of it; prefix sums of the weights make a
//! weighted choice within any ranges a binary search. Nothing in here changes while plans are made.

use std::ops::Range;

use super::candidate::{Candidate, Exclusion};
use super::domain::LEVELS;
use super::room::{Fit, Purpose, Room};
use crate::id::NodeId;

/// Full load, in permille. A fully loaded node is chosen half as often as an idle one with the same space.
const FULL_LOAD: u128 = 1_000;

/// The nodes that can be chosen, made once and used for many plans.
///
/// Make a new one whenever the registry changes, and every so often besides, since the free space that it knows is as old
/// as the candidates it was made of.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    leaves: Vec<Leaf>,
    /// The sums of the weights of all leaves before each, and of those only that are not a last choice.
    all: Vec<u64>,
    preferred: Vec<u64>,
    /// Every leaf's place, sorted by its node's id.
    by_id: Vec<u32>,
    /// How many domains of each level have a node that takes something.
    open_domains: [usize; LEVELS],
}

/// A node that can be chosen, or cannot now.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) id: NodeId,
    pub(super) room: Room,
    /// How likely the node is chosen before it takes anything: its free space, less for load, scaled down if need be.
    pub(super) weight: u64,
    /// The leaves that share each level's domain with this one, itself among them.
    domains: [Range<u32>; LEVELS],
    /// The first leaf of the narrowest domain above the host that is named.
    named_domain: Option<u32>,
    /// How far the node is filled.
    pub(super) used_permille: u64,
}

impl Topology {
    /// Arranges the candidates, each node once. Those on which nothing can be placed now are kept for the sake of the copies
    /// that they have: others are spread away from these.
    pub fn new(candidates: impl IntoIterator<Item = Candidate>) -> Self {
        let mut candidates: Vec<Candidate> = candidates
            .into_iter()
            .filter(|candidate| candidate.unfit != Some(Exclusion::Removed))
            .collect();
        candidates.sort_by(|one, other| (&one.domain, &one.id).cmp(&(&other.domain, &other.id)));
        let weights: Vec<u128> = candidates.iter().map(weight).collect();
        // The sum must fit a u64.
        let bits = u128::BITS - weights.iter().sum::<u128>().leading_zeros();
        let scale = bits.saturating_sub(u64::BITS - 1);
        let domains = domains(&candidates);
        let leaves: Vec<Leaf> = candidates
            .into_iter()
            .zip(weights)
            .zip(domains)
            .map(|((candidate, weight), domains)| Leaf {
                room: if candidate.unfit.is_none() {
                    candidate.room()
                } else {
                    Room::NONE
                },
                weight: (weight >> scale) as u64,
                named_domain: candidate
                    .domain
                    .narrowest_shared()
                    .map(|level| domains[level].start),
                used_permille: candidate.used_permille(),
                id: candidate.id,
                domains,
            })
            .collect();
        let all = prefix_sums(&leaves, |_| true);
        let preferred = prefix_sums(&leaves, |leaf| leaf.room.fit(0, 0, Purpose::New) == Fit::Well);
        let mut by_id: Vec<u32> = (0..leaves.len() as u32).collect();
        by_id.sort_unstable_by(|&one, &other| leaves[one as usize].id.cmp(&leaves[other as usize].id));
        let mut topology = Self {
            leaves,
            all,
            preferred,
            by_id,
            open_domains: [0; LEVELS],
        };
        topology.open_domains = std::array::from_fn(|level| topology.count_open_domains(level));
        topology
    }

    fn count_open_domains(&self, level: usize) -> usize {
        let mut open = 0;
        let mut at = 0;
        while at < self.leaves.len() {
            let domain = self.domain(at as u32, level);
            open += usize::from(self.is_open(&domain));
            at = domain.end as usize;
        }
        open
    }

    /// Whether a range of leaves has one that takes something.
    pub(super) fn is_open(&self, leaves: &Range<u32>) -> bool {
        self.all[leaves.end as usize] > self.all[leaves.start as usize]
    }

    /// How many domains of a level have a node that takes something.
    pub(super) const fn open_domains(&self, level: usize) -> usize {
        self.open_domains[level]
    }

    /// Whether anything can be placed at all.
    pub fn has_room(&self) -> bool {
        self.all.last().is_some_and(|sum| *sum > 0)
    }

    /// How many nodes there are to choose from, at most.
    pub(super) const fn len(&self) -> usize {
        self.leaves.len()
    }

    /// The places of some nodes among the leaves, ascending; of those that have one.
    pub(super) fn places(&self, nodes: &[NodeId]) -> Vec<u32> {
        let mut places: Vec<u32> = nodes.iter().filter_map(|node| self.place(node)).collect();
        places.sort_unstable();
        places
    }

    /// The place of a node among the leaves.
    pub(super) fn place(&self, node: &NodeId) -> Option<u32> {
        let found = self.by_id.binary_search_by(|&at| self.leaf(at).id.cmp(node));
        found.ok().map(|at| self.by_id[at])
    }

    pub(super) fn leaf(&self, at: u32) -> &Leaf {
        &self.leaves[at as usize]
    }

    pub(super) const fn everywhere(&self) -> Range<u32> {
        0..self.leaves.len() as u32
    }

    /// A number for the narrowest failure domain that a node names above its host; the same for every node in it, and in
    /// this topology only. `None` if it names none.
    pub fn failure_domain(&self, node: &NodeId) -> Option<u32> {
        self.leaf(self.place(node)?).named_domain
    }

    /// The leaves that share a domain with one; beyond the last level, that one alone.
    pub(super) fn domain(&self, at: u32, level: usize) -> Range<u32> {
        self.leaf(at).domains.get(level).cloned().unwrap_or(at..at + 1)
    }

    /// The sums of the weights of the leaves before each, from those only that are not a last choice or from all.
    pub(super) fn sums(&self, preferred: bool) -> &[u64] {
        if preferred { &self.preferred } else { &self.all }
    }
}

fn weight(candidate: &Candidate) -> u128 {
    if candidate.unfit.is_some() || candidate.room().fit(0, 0, Purpose::New) == Fit::No {
        return 0;
    }
    let idle = 2 * FULL_LOAD - u128::from(candidate.load).min(FULL_LOAD);
    u128::from(candidate.free.get()) * idle / (2 * FULL_LOAD)
}

fn prefix_sums(leaves: &[Leaf], counts: impl Fn(&Leaf) -> bool) -> Vec<u64> {
    let mut sum = 0;
    let mut sums = vec![0];
    for leaf in leaves {
        sum += if counts(leaf) { leaf.weight } else { 0 };
        sums.push(sum);
    }
    sums
}

/// For each candidate, sorted by domain, the range of those in the same domain, by level.
fn domains(candidates: &[Candidate]) -> Vec<[Range<u32>; LEVELS]> {
    let count = candidates.len();
    let mut ranges: Vec<[Range<u32>; LEVELS]> = vec![Default::default(); count];
    for level in 0..LEVELS {
        let mut from = 0;
        for to in 1..=count {
            let ends = to == count
                || candidates[to - 1]
                    .domain
                    .levels_shared_with(&candidates[to].domain)
                    <= level;
            if ends {
                for range in &mut ranges[from..to] {
                    range[level] = from as u32..to as u32;
                }
                from = to;
            }
        }
    }
    ranges
}
