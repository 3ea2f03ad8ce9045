//! Plans: where the chunks of a file shall go.

use std::collections::BTreeMap;

use super::choice::Chooser;
use super::spread::{Stretch, stretches};
use super::topology::Topology;
use crate::id::NodeId;
use crate::units::ByteSize;

/// What the operator wants of placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether the replicas of a chunk are spread over failure domains; otherwise it is enough that the nodes differ.
    pub geographic_spread: bool,
}

/// Where the chunks of a file shall go, in the form that [`crate::command::RegisterFile`] carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The nodes, each once.
    pub nodes: Vec<NodeId>,
    /// For each chunk the positions of its nodes in `nodes`, in the order in which they were chosen. Fewer than wanted
    /// if no more have room; none if none has.
    pub targets: Vec<Vec<u32>>,
}

impl Plan {
    /// The bytes that the plan puts on each node, for chunks of these sizes.
    pub fn bytes(&self, sizes: &[ByteSize]) -> impl Iterator<Item = (&NodeId, ByteSize)> {
        let mut bytes = vec![ByteSize::ZERO; self.nodes.len()];
        for (targets, size) in self.targets.iter().zip(sizes) {
            for &target in targets {
                let sum = &mut bytes[target as usize];
                *sum = sum.plus(*size);
            }
        }
        self.nodes.iter().zip(bytes)
    }
}

impl Topology {
    /// Plans chunks of these sizes, each on `wanted` nodes. The same arguments give the same plan.
    ///
    /// `promised` is what was promised to nodes since the candidates of this topology were made, by the plans made with
    /// it: the caller keeps one map beside the topology, adds [`Plan::bytes`] to it after each plan, and begins a new map
    /// with each new topology, whose candidates are given what is still outstanding. Nodes that are not in it were
    /// promised nothing.
    pub fn plan(
        &self,
        sizes: &[ByteSize],
        wanted: usize,
        policy: Policy,
        seed: u64,
        promised: &BTreeMap<NodeId, ByteSize>,
    ) -> Plan {
        let mut chooser = Chooser::new(self, promised, seed);
        let mut positions: BTreeMap<u32, u32> = BTreeMap::new();
        let mut plan = Plan::default();
        let mut among = Vec::new();
        // The leaves chosen for a chunk, in ascending order.
        let mut chosen: Vec<u32> = Vec::new();
        for size in sizes {
            let mut targets = Vec::with_capacity(wanted.min(self.len()));
            chosen.clear();
            while targets.len() < wanted {
                let Some(leaf) = self.choose_one(&mut chooser, &mut chosen, *size, policy, &mut among) else {
                    break;
                };
                targets.push(*positions.entry(leaf).or_insert_with(|| {
                    plan.nodes.push(self.leaf(leaf).id.clone());
                    plan.nodes.len() as u32 - 1
                }));
            }
            plan.targets.push(targets);
        }
        plan
    }

    /// Chooses one more leaf for a chunk beside those that are chosen, which ascend, and adds it to them. `among` is room
    /// to work in.
    pub(super) fn choose_one(
        &self,
        chooser: &mut Chooser<'_>,
        chosen: &mut Vec<u32>,
        size: ByteSize,
        policy: Policy,
        among: &mut Vec<Stretch>,
    ) -> Option<u32> {
        stretches(self, chosen, policy.geographic_spread, among);
        let mut alike = among.chunk_by(|one, other| one.shared == other.shared);
        let leaf = alike.find_map(|among| chooser.choose(among, size.get()))?;
        chosen.insert(chosen.partition_point(|&other| other < leaf), leaf);
        Some(leaf)
    }
}
