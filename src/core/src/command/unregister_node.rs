//! A node goes for good.

use serde::{Deserialize, Serialize};

use crate::decide::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{NodeRow, Observed, Wanted};
use crate::view::{ReadSet, View};

/// Unregisters a node: its row stays as a tombstone and its copies count for nothing. Unregistering twice is the same as
/// once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnregisterNode {
    /// The node.
    pub node: NodeId,
    /// Why, in the words of whoever asked.
    pub reason: String,
}

impl UnregisterNode {
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
            return Ok(Effects::answer(Response::NodeUnregistered));
        }
        let tombstone = NodeRow {
            wanted: Wanted::Removed {
                at: context.now,
                reason: self.reason.clone(),
            },
            observed: Observed::Inactive { since: context.now },
            ..NodeRow::clone(node)
        };
        Ok(Effects {
            mutations: vec![Mutation::PutNode(self.node.clone(), tombstone)],
            response: Response::NodeUnregistered,
        })
    }
}
