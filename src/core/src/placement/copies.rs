//! Planning further copies of chunks that have some already.

use std::collections::BTreeMap;

use super::choice::Chooser;
use super::plan::Policy;
use super::topology::Topology;
use crate::id::NodeId;
use crate::units::ByteSize;

/// A chunk of which further copies are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyWanted {
    /// Its length.
    pub size: ByteSize,
    /// The nodes whose copies stay: new ones are spread away from these.
    pub kept: Vec<NodeId>,
    /// Nodes that cannot take a copy beside these, such as those that are to drop one.
    pub barred: Vec<NodeId>,
    /// How many more are wanted.
    pub missing: usize,
}

impl Topology {
    /// Chooses nodes for further copies, for each chunk its own, among those of which `is_open` is true; fewer than wanted
    /// if no more have room. `seed` and `promised` are as in [`Topology::plan`].
    pub fn plan_copies(
        &self,
        wanted: &[CopyWanted],
        policy: Policy,
        seed: u64,
        promised: &BTreeMap<NodeId, ByteSize>,
        is_open: &dyn Fn(&NodeId) -> bool,
    ) -> Vec<Vec<NodeId>> {
        let mut chooser = Chooser::new(self, promised, seed).for_repair(is_open);
        let mut among = Vec::new();
        let mut plans = Vec::with_capacity(wanted.len());
        for copy in wanted {
            let mut chosen = self.places(&copy.kept);
            chooser.bar(self.places(&copy.barred).into_iter());
            let mut targets = Vec::with_capacity(copy.missing);
            while targets.len() < copy.missing {
                let next = self.choose_one(&mut chooser, &mut chosen, copy.size, policy, &mut among);
                let Some(leaf) = next else { break };
                targets.push(self.leaf(leaf).id.clone());
            }
            plans.push(targets);
        }
        plans
    }
}
