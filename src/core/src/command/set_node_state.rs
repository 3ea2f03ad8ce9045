//! An operator wants something else of a node.

use serde::{Deserialize, Serialize};

use crate::decide::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{NodeRow, Wanted};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Changes what is wanted of a node. Whether the node is heard from does not matter, and does not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetNodeState {
    /// The node.
    pub node: NodeId,
    /// What is wanted.
    pub change: NodeStateChange,
}

/// What an operator may want of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeStateChange {
    /// Back in service; ends a drain or maintenance.
    Activate,
    /// To give up its chunks.
    Drain,
    /// To be left alone for a while.
    Maintain {
        /// How long, from when the command is decided.
        span: Millis,
    },
}

impl SetNodeState {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: vec![self.node.clone()],
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Result<Effects, Rejection> {
        let node = view
            .nodes
            .get(&self.node)
            .ok_or_else(|| Rejection::NodeNotFound {
                node: self.node.clone(),
            })?;
        if node.is_removed() {
            return Err(Rejection::NodeRemoved {
                node: self.node.clone(),
            });
        }
        let wanted = match self.change {
            NodeStateChange::Activate => Wanted::InService,
            NodeStateChange::Drain => Wanted::Draining,
            NodeStateChange::Maintain { span } => Wanted::Maintenance {
                until: context.now.plus(span),
            },
        };
        let changed = NodeRow {
            wanted,
            ..NodeRow::clone(node)
        };
        let response = Response::NodeStateSet {
            status: changed.status(),
        };
        let mutations = if changed == **node {
            Vec::new()
        } else {
            vec![Mutation::PutNode(self.node.clone(), changed)]
        };
        Ok(Effects { mutations, response })
    }
}
