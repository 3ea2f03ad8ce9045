//! Copies that share a failure domain though they need not, and which copy is worst placed.

use std::cmp::Ordering;

use super::domain::LEVELS;
use super::spread::stretches;
use super::topology::Topology;
use crate::id::NodeId;

impl Topology {
    /// The node among these whose copy shares more failure domains with the others than it would on some other node that
    /// takes something; the worst placed, if there are several. `None` if no copy would lie better elsewhere.
    pub fn misplaced<'a>(&self, nodes: &'a [NodeId]) -> Option<&'a NodeId> {
        if !self.may_be_misplaced(nodes) {
            return None;
        }
        let movable = nodes.iter().filter(|node| self.is_better_elsewhere(nodes, node));
        self.worst_of(movable, nodes, true)
    }

    /// Whether at some level a domain with a node that takes something has two copies fewer than another. Quick, and nearly
    /// always the answer: only where that domain lies in a wider one that has its share of copies already is it of no use.
    fn may_be_misplaced(&self, nodes: &[NodeId]) -> bool {
        let places = self.places(nodes);
        (0..LEVELS).any(|level| {
            let mut rest = places.as_slice();
            let mut used_and_open = 0;
            let mut most = 0;
            let mut fewest = usize::MAX;
            while let Some(&first) = rest.first() {
                let domain = self.domain(first, level);
                let (inside, outside) = rest.split_at(rest.partition_point(|&place| place < domain.end));
                most = most.max(inside.len());
                if self.is_open(&domain) {
                    used_and_open += 1;
                    fewest = fewest.min(inside.len());
                }
                rest = outside;
            }
            if self.open_domains(level) > used_and_open {
                fewest = 0;
            }
            most >= 2 && fewest <= most - 2
        })
    }

    /// Whether a copy on a node would share less with the others on a node that takes something.
    fn is_better_elsewhere(&self, nodes: &[NodeId], node: &NodeId) -> bool {
        let Some(place) = self.place(node) else {
            return false;
        };
        let mut others = self.places(nodes);
        others.retain(|other| *other != place);
        let mut all = Vec::new();
        stretches(self, &others, true, &mut all);
        let here = all
            .iter()
            .find(|stretch| stretch.leaves.contains(&place))
            .map(|stretch| stretch.shared);
        let best = all
            .iter()
            .find(|stretch| self.is_open(&stretch.leaves))
            .map(|stretch| stretch.shared);
        best.zip(here).is_some_and(|(best, here)| best < here)
    }

    /// The node among these whose copy can be spared best: the one that shares the widest failure domains with most
    /// others, and among equals the one on the node that is filled furthest. `None` if there is none.
    pub fn worst_placed<'a>(&self, nodes: &'a [NodeId], over_domains: bool) -> Option<&'a NodeId> {
        self.worst_of(nodes.iter(), nodes, over_domains)
    }

    /// The worst placed of some of the nodes.
    fn worst_of<'a>(
        &self,
        some: impl Iterator<Item = &'a NodeId>,
        nodes: &[NodeId],
        over_domains: bool,
    ) -> Option<&'a NodeId> {
        let places = self.places(nodes);
        let rank = |node: &NodeId| {
            let Some(place) = self.place(node) else {
                return ([0; LEVELS], u64::MAX);
            };
            let shared = std::array::from_fn(|level| {
                let domain = self.domain(place, level);
                let here = places.iter().filter(|other| domain.contains(other)).count();
                if over_domains { here } else { 0 }
            });
            (shared, self.leaf(place).used_permille)
        };
        some.max_by_key(|node| (rank(node), *node))
    }

    /// Whether copies on the nodes are spread better with one of them moved to another node.
    pub fn is_better(&self, nodes: &[NodeId], from: &NodeId, to: &NodeId) -> bool {
        self.compare_move(nodes, from, to) == Some(Ordering::Less)
    }

    /// Whether copies on the nodes are spread no worse with one of them moved to another node.
    pub fn is_as_good(&self, nodes: &[NodeId], from: &NodeId, to: &NodeId) -> bool {
        self.compare_move(nodes, from, to).is_some_and(Ordering::is_le)
    }

    /// How much is shared with the copies that stay after a move, compared with before it.
    fn compare_move(&self, nodes: &[NodeId], from: &NodeId, to: &NodeId) -> Option<Ordering> {
        let others: Vec<NodeId> = nodes.iter().filter(|node| *node != from).cloned().collect();
        let before = self.shared_with(&others, from)?;
        Some(self.shared_with(&others, to)?.cmp(&before))
    }

    /// How many of `others` share each level's domain with a node, the widest first.
    fn shared_with(&self, others: &[NodeId], node: &NodeId) -> Option<[usize; LEVELS]> {
        let place = self.place(node)?;
        let others = self.places(others);
        Some(std::array::from_fn(|level| {
            let domain = self.domain(place, level);
            others.iter().filter(|other| domain.contains(other)).count()
        }))
    }
}
