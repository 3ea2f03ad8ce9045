//! Choosing one node among equally good ones: by chance, weighted by the space that is left on it.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::room::{Fit, Purpose};
use super::spread::Stretch;
use super::topology::{Leaf, Topology};
use crate::id::NodeId;
use crate::units::ByteSize;

/// How often a node is drawn before every one is looked at. Nearly always the first draw will do: it fails only for nodes
/// that took much since the topology was made, or are too small for the chunk.
const DRAWS: usize = 16;

/// Draws nodes, and remembers what they took.
pub(super) struct Chooser<'a> {
    topology: &'a Topology,
    promised: &'a BTreeMap<NodeId, ByteSize>,
    rng: SmallRng,
    purpose: Purpose,
    /// Whether a node takes part at all.
    is_open: &'a dyn Fn(&NodeId) -> bool,
    /// Leaves that cannot be chosen for the chunk at hand.
    barred: BTreeSet<u32>,
    /// The leaves that take part, ascending; made when every one has to be looked at, so that the closed ones are looked at
    /// once and not for each chunk.
    open: Option<Vec<u32>>,
    /// The bytes that leaves took since the topology was made. Only those that were drawn are in here.
    taken: BTreeMap<u32, u64>,
}

impl<'a> Chooser<'a> {
    /// For new chunks, on any node.
    pub(super) fn new(topology: &'a Topology, promised: &'a BTreeMap<NodeId, ByteSize>, seed: u64) -> Self {
        Self {
            purpose: Purpose::New,
            is_open: &|_| true,
            topology,
            promised,
            barred: BTreeSet::new(),
            open: None,
            rng: SmallRng::seed_from_u64(seed),
            taken: BTreeMap::new(),
        }
    }

    /// For further copies, on nodes of which `is_open` is true.
    pub(super) fn for_repair(self, is_open: &'a dyn Fn(&NodeId) -> bool) -> Self {
        Self {
            purpose: Purpose::Repair,
            is_open,
            ..self
        }
    }

    /// Bars leaves from being chosen, in place of those that were.
    pub(super) fn bar(&mut self, leaves: impl Iterator<Item = u32>) {
        self.barred = leaves.collect();
    }

    /// Chooses a leaf among stretches for a chunk of `size` bytes, which it takes.
    pub(super) fn choose(&mut self, among: &[Stretch], size: u64) -> Option<u32> {
        let leaf = match self.draw(among, size) {
            Some(leaf) => leaf,
            None => self.search(among, size)?,
        };
        *self.taken.entry(leaf).or_default() += size;
        Some(leaf)
    }

    /// Draws two leaves and takes the one that has taken less for its size: a draw by weight alone strays from the shares
    /// by the square root of what was placed, the better of two by next to nothing (Mitzenmacher, "The power of two
    /// choices in randomized load balancing").
    fn draw(&mut self, among: &[Stretch], size: u64) -> Option<u32> {
        let one = self.draw_one(among, size)?;
        let other = self.draw_one(among, size).unwrap_or(one);
        let load = |leaf: u32, by: u32| {
            let taken = self.taken.get(&leaf).copied().unwrap_or_default();
            u128::from(taken) * u128::from(self.topology.leaf(by).weight)
        };
        Some(if load(other, one) < load(one, other) {
            other
        } else {
            one
        })
    }

    /// Draws leaves by the weights they had at first, and keeps each with the chance that its weight is still good for:
    /// that comes to the same as drawing by the weights they have now.
    fn draw_one(&mut self, among: &[Stretch], size: u64) -> Option<u32> {
        let (preferred, sum) = match (
            sum(self.topology.sums(true), among),
            sum(self.topology.sums(false), among),
        ) {
            (0, 0) => return None,
            (0, all) => (false, all),
            (preferred, _) => (true, preferred),
        };
        for _ in 0..DRAWS {
            let at = self.rng.random_range(0..sum);
            let leaf = find(self.topology.sums(preferred), among, at)?;
            let taken = self.taken(leaf);
            let room = self.topology.leaf(leaf).room;
            let fits = match room.fit(taken, size, self.purpose) {
                _ if self.barred.contains(&leaf) => false,
                _ if !(self.is_open)(&self.topology.leaf(leaf).id) => false,
                Fit::Well => true,
                Fit::LastChoice => !preferred,
                Fit::No => false,
            };
            if fits && (taken == 0 || self.rng.random_range(0..room.free()) < room.left(taken)) {
                return Some(leaf);
            }
        }
        None
    }

    /// Looks at every leaf that takes part.
    fn search(&mut self, among: &[Stretch], size: u64) -> Option<u32> {
        let open = self.open.take().unwrap_or_else(|| {
            let leaves = self.topology.everywhere();
            leaves
                .filter(|&leaf| (self.is_open)(&self.topology.leaf(leaf).id))
                .collect()
        });
        let found = self.search_in(&open, among, size);
        self.open = Some(open);
        found
    }

    fn search_in(&mut self, open: &[u32], among: &[Stretch], size: u64) -> Option<u32> {
        for wanted in [Fit::Well, Fit::LastChoice] {
            let mut fitting = Vec::new();
            let mut sum = 0_u64;
            for &leaf in among.iter().flat_map(|stretch| within(open, stretch)) {
                let taken = self.taken(leaf);
                let node = self.topology.leaf(leaf);
                if node.room.fit(taken, size, self.purpose) == wanted && !self.barred.contains(&leaf) {
                    sum += weight_left(node, taken);
                    fitting.push((sum, leaf));
                }
            }
            if !fitting.is_empty() {
                let at = self.rng.random_range(0..sum);
                let position = fitting.partition_point(|(end, _)| *end <= at);
                return fitting.get(position).map(|(_, leaf)| *leaf);
            }
        }
        None
    }

    /// What a leaf took since the topology was made: what the caller says was promised, and what this plan put there.
    fn taken(&mut self, leaf: u32) -> u64 {
        *self.taken.entry(leaf).or_insert_with(|| {
            let id = &self.topology.leaf(leaf).id;
            self.promised.get(id).map_or(0, |bytes| bytes.get())
        })
    }
}

/// Those of some ascending leaves that lie in a stretch.
fn within<'a>(leaves: &'a [u32], stretch: &Stretch) -> &'a [u32] {
    let start = leaves.partition_point(|leaf| *leaf < stretch.leaves.start);
    let end = leaves.partition_point(|leaf| *leaf < stretch.leaves.end);
    leaves.get(start..end).unwrap_or_default()
}

/// A leaf's weight in proportion to what is left of its space; never zero, so that the last byte can be chosen, too.
fn weight_left(leaf: &Leaf, taken: u64) -> u64 {
    let left = u128::from(leaf.weight) * u128::from(leaf.room.left(taken));
    // A part of a u64 fits a u64.
    (left / u128::from(leaf.room.free().max(1))).max(1) as u64
}

fn sum(sums: &[u64], among: &[Stretch]) -> u64 {
    among.iter().map(|stretch| in_stretch(sums, stretch)).sum()
}

fn in_stretch(sums: &[u64], stretch: &Stretch) -> u64 {
    sums[stretch.leaves.end as usize] - sums[stretch.leaves.start as usize]
}

/// The leaf in which a number below the sum of all weights falls.
fn find(sums: &[u64], among: &[Stretch], mut at: u64) -> Option<u32> {
    for stretch in among {
        let here = in_stretch(sums, stretch);
        if at < here {
            let (start, end) = (stretch.leaves.start as usize, stretch.leaves.end as usize);
            let target = sums[start] + at;
            let before = sums[start + 1..=end].partition_point(|&sum| sum <= target);
            return Some(stretch.leaves.start + before as u32);
        }
        at -= here;
    }
    None
}
