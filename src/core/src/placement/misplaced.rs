//! Copies that share a failure domain though they need not, and which copy is worst placed.

use std::cmp::Ordering;

use super::domain::LEVELS;
use super::topology::Topology;
use crate::id::NodeId;

impl Topology {
    /// Whether copies on these nodes could be spread better: at some level they lie in fewer domains than there are of
    /// them, and one that has none of them has a node that takes something.
    pub fn is_misplaced(&self, nodes: &[NodeId]) -> bool {
        let places = self.places(nodes);
        (0..LEVELS).any(|level| {
            let mut used = 0;
            let mut used_and_open = 0;
            let mut end = 0;
            for &place in &places {
                let domain = self.domain(place, level);
                if place >= end {
                    used += 1;
                    used_and_open += usize::from(self.is_open(&domain));
                    end = domain.end;
                }
            }
            used < places.len() && self.open_domains(level) > used_and_open
        })
    }

    /// The node among these whose copy can be spared best: the one that shares the widest failure domains with most
    /// others, and among equals the one on the node that is filled furthest. `None` if there is none.
    pub fn worst_placed<'a>(&self, nodes: &'a [NodeId], over_domains: bool) -> Option<&'a NodeId> {
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
        nodes.iter().max_by_key(|node| (rank(node), *node))
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
