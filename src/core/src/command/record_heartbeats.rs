//! Nodes were heard from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decide::Context;
use crate::effects::{Effects, Mutation};
use crate::id::NodeId;
use crate::response::Response;
use crate::row::{BeatRow, NodeRow, NodeStats, Observed};
use crate::units::Millis;
use crate::view::{ReadSet, View};

/// Records the newest heartbeat of many nodes at once: one command for each flush interval, not one for each beat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordHeartbeats {
    /// The beats. Of two for one node, the younger counts.
    pub beats: Vec<Heartbeat>,
}

/// One heartbeat as a replica received it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The node.
    pub node: NodeId,
    /// How long ago the replica received it when it proposed the command. An age rather than a time, because only the
    /// leader's clock counts.
    pub age: Millis,
    /// What the node said.
    pub stats: NodeStats,
}

impl RecordHeartbeats {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.beats.iter().map(|beat| beat.node.clone()).collect(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut youngest: BTreeMap<&NodeId, &Heartbeat> = BTreeMap::new();
        for beat in &self.beats {
            let kept = youngest.entry(&beat.node).or_insert(beat);
            if beat.age <= kept.age {
                *kept = beat;
            }
        }
        let mut mutations = Vec::with_capacity(youngest.len());
        let mut refused = Vec::new();
        for (id, beat) in youngest {
            let Some(node) = view.nodes.get(id).filter(|node| !node.is_removed()) else {
                refused.push(id.clone());
                continue;
            };
            let row = BeatRow {
                at: context.now.minus(beat.age),
                stats: beat.stats,
            };
            // A beat that another replica received later may have been recorded already.
            if view.beats.get(id).is_some_and(|last| last.at > row.at) {
                continue;
            }
            mutations.push(Mutation::PutBeat(id.clone(), row));
            if node.observed != Observed::Active {
                let active = NodeRow {
                    observed: Observed::Active,
                    ..NodeRow::clone(node)
                };
                mutations.push(Mutation::PutNode(id.clone(), active));
            }
        }
        Effects {
            mutations,
            response: Response::HeartbeatsRecorded { refused },
        }
    }
}
