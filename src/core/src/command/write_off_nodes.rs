//! Silent nodes are no longer waited for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{NodeRow, Observed};
use crate::view::{ReadSet, View};

/// Lifts the brake that the silence of these nodes put on repair: an operator says that they will not come back soon.
///
/// It is forgotten when a node comes back, so that its next silence counts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOffNodes {
    /// The nodes; those that are not silent are left alone.
    pub nodes: Vec<NodeId>,
}

impl WriteOffNodes {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.nodes.clone(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View) -> Effects {
        let mut mutations = Vec::new();
        for id in self.nodes.iter().collect::<BTreeSet<_>>() {
            let Some(node) = view.nodes.get(id).filter(|node| !node.is_removed()) else {
                continue;
            };
            if let Observed::Inactive {
                since,
                written_off: false,
            } = node.observed
            {
                let observed = Observed::Inactive {
                    since,
                    written_off: true,
                };
                let changed = NodeRow {
                    observed,
                    ..NodeRow::clone(node)
                };
                mutations.push(Mutation::PutNode(id.clone(), changed));
            }
        }
        let nodes = mutations.len() as u64;
        Effects {
            mutations,
            response: Response::NodesWrittenOff { nodes },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WriteOffNodes;
    use crate::command::Command;
    use crate::response::Response;
    use crate::row::Observed;
    use crate::testing::{World, register, silence, unregister};

    #[test]
    fn only_silent_nodes_are_written_off_and_only_until_they_come_back() {
        let mut world = World::with_nodes(["n1", "n2", "n3"]);
        world.apply(silence(["n1"])).unwrap();
        world.apply(unregister("n3")).unwrap();
        let write_off = || {
            Command::WriteOffNodes(WriteOffNodes {
                nodes: ["n1", "n1", "n2", "n3", "never"].map(Into::into).to_vec(),
            })
        };
        assert_eq!(
            world.apply(write_off()),
            Ok(Response::NodesWrittenOff { nodes: 1 })
        );
        let is_written_off = |world: &World| {
            matches!(
                world.node("n1").observed,
                Observed::Inactive {
                    written_off: true,
                    ..
                }
            )
        };
        assert!(is_written_off(&world));
        assert_eq!(
            world.apply(write_off()),
            Ok(Response::NodesWrittenOff { nodes: 0 })
        );
        world.apply(register("n1")).unwrap();
        world.apply(silence(["n1"])).unwrap();
        assert!(!is_written_off(&world));
    }
}
