//! Nodes were silent for too long.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decide::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{NodeRow, Observed, Wanted};
use crate::units::Timestamp;
use crate::view::{ReadSet, View};

/// Marks nodes inactive that were not heard from since a time, and ends maintenance whose time is over.
///
/// The condition travels in the command: a proposer that was wrong, or late, does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpireNodes {
    /// The nodes that the proposer believes to be silent, or done with maintenance.
    pub nodes: Vec<NodeId>,
    /// A node last heard from before this time is silent.
    pub silent_since: Timestamp,
}

impl ExpireNodes {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.nodes.clone(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut mutations = Vec::new();
        let mut inactive = Vec::new();
        let mut back_in_service = Vec::new();
        for id in self.nodes.iter().collect::<BTreeSet<_>>() {
            let Some(node) = view.nodes.get(id).filter(|node| !node.is_removed()) else {
                continue;
            };
            let mut changed = NodeRow::clone(node);
            let silent = view.beats.get(id).is_none_or(|beat| beat.at < self.silent_since);
            if silent && node.observed == Observed::Active {
                changed.observed = Observed::Inactive { since: context.now };
                inactive.push(id.clone());
            }
            if matches!(node.wanted, Wanted::Maintenance { until } if until <= context.now) {
                changed.wanted = Wanted::InService;
                back_in_service.push(id.clone());
            }
            if changed != **node {
                mutations.push(Mutation::PutNode(id.clone(), changed));
            }
        }
        Effects {
            mutations,
            response: Response::NodesExpired {
                inactive,
                back_in_service,
            },
        }
    }
}
