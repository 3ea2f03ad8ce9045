//! A node comes, or comes back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decide::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
use crate::units::ByteSize;
use crate::view::{ReadSet, View};

/// Registers a node. An id that is known keeps its history, and a drain or maintenance that an operator asked for: a
/// node that restarts in the middle of a drain must not cancel it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterNode {
    /// The node's id; the proposer mints one for a node that has none.
    pub node: NodeId,
    /// Where it is reached.
    pub addresses: Vec<String>,
    /// What it offers.
    pub capacity: ByteSize,
    /// What it says about itself.
    pub capabilities: BTreeMap<String, String>,
    /// First addresses of other active nodes, chosen by the proposer; they are part of the answer.
    pub peers: Vec<String>,
}

impl RegisterNode {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: vec![self.node.clone()],
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let known = view.nodes.get(&self.node);
        let node = NodeRow {
            addresses: self.addresses.clone(),
            capacity: self.capacity,
            capabilities: self.capabilities.clone(),
            registered_at: known.map_or(context.now, |node| node.registered_at),
            wanted: known
                .filter(|node| !node.is_removed())
                .map_or(Wanted::InService, |node| node.wanted.clone()),
            observed: Observed::Active,
        };
        let beat = BeatRow {
            at: context.now,
            stats: view
                .beats
                .get(&self.node)
                .map_or_else(NodeStats::default, |beat| beat.stats),
        };
        Effects {
            mutations: vec![
                Mutation::PutNode(self.node.clone(), node),
                Mutation::PutBeat(self.node.clone(), beat),
            ],
            response: Response::NodeRegistered {
                node: self.node.clone(),
                peers: self.peers.clone(),
                known: known.is_some(),
            },
        }
    }
}
