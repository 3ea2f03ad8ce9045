//! Planning: what is to be done about a page of chunks.
//!
//! Each chunk is judged by itself; then nodes are chosen for the copies to make, the most urgent first, within what nodes
//! can be told and what their links may carry. Whatever finds no place now is found again by the next pass.

mod targets;
mod trim;

use std::collections::BTreeMap;

use super::{Class, Imbalance, Judgement, Memory, Nodes, Policy, Tally, Workload, judge};
use crate::command::{CopyPlan, TrimPlan};
use crate::id::{ChunkId, NodeId};
use crate::placement::{self, Topology};
use crate::row::{ChunkRow, ReplicaState, TaskReason};
use crate::units::{ByteSize, Millis, Timestamp};

/// What a page is planned with.
pub struct Round<'a, N> {
    /// The nodes.
    pub nodes: &'a N,
    /// The same, arranged for choosing among them.
    pub topology: &'a Topology,
    /// What is wanted of repair.
    pub policy: &'a Policy,
    /// What is wanted of placement.
    pub placement: placement::Policy,
    /// How long a chunk keeps copies that it has too many.
    pub trim_after: Millis,
    /// The time.
    pub now: Timestamp,
    /// What chance goes by.
    pub seed: u64,
    /// What was promised to nodes since the topology was made.
    pub promised: &'a BTreeMap<NodeId, ByteSize>,
}

/// What is to be done about a page.
#[derive(Debug, Default)]
pub struct Plan {
    /// Copies to make.
    pub copies: Vec<CopyPlan>,
    /// The bytes that these put on nodes, of each copy in turn.
    pub promises: Vec<(NodeId, ByteSize)>,
    /// Copies to drop, since others make up for them.
    pub trims: Vec<TrimPlan>,
    /// Copies on unregistered nodes that can be forgotten.
    pub forgettable: Vec<(ChunkId, NodeId)>,
    /// Whether something is to be done that could not be planned now.
    pub left_something: bool,
    /// When there will be something to do that there is not yet.
    pub due_at: Option<Timestamp>,
    /// What was found.
    pub tally: Tally,
}

/// A chunk of which copies are to be made.
struct Short<'a> {
    id: &'a ChunkId,
    row: &'a ChunkRow,
    reason: TaskReason,
    kept: Vec<NodeId>,
    missing: usize,
    /// The node whose copy is to be replaced by one at a better place.
    instead_of: Option<NodeId>,
}

/// Plans a page of chunks.
pub fn plan<N: Nodes>(
    page: &[(ChunkId, ChunkRow)],
    round: &Round<'_, N>,
    workload: &mut Workload,
    memory: &mut Memory,
    imbalance: &mut Imbalance,
) -> Plan {
    let mut planner = Planner {
        round,
        workload,
        memory,
        imbalance,
        plan: Plan::default(),
    };
    let mut short: Vec<Short<'_>> = Vec::new();
    for (id, row) in page {
        short.extend(planner.look_at(id, row));
    }
    short.sort_by_key(|chunk| (Class::from(chunk.reason), chunk.reason));
    for of_a_kind in short.chunk_by(|one, other| one.reason == other.reason) {
        planner.choose_targets(of_a_kind);
    }
    planner.plan
}

struct Planner<'a, N> {
    round: &'a Round<'a, N>,
    workload: &'a mut Workload,
    memory: &'a mut Memory,
    imbalance: &'a mut Imbalance,
    plan: Plan,
}

impl<N: Nodes> Planner<'_, N> {
    /// Sees to everything about a chunk but the choice of nodes for further copies.
    fn look_at<'a>(&mut self, id: &'a ChunkId, row: &'a ChunkRow) -> Option<Short<'a>> {
        if !row.is_referenced() {
            return None;
        }
        let judgement = judge(row, self.round.nodes, self.round.now, self.round.policy);
        self.count(id, row, &judgement);
        self.note_due(judgement.waits_until);
        for node in &judgement.forgettable {
            // What somebody is told to fetch is called off, or comes.
            if self.workload.reason_of(node, id).is_none() {
                self.plan.forgettable.push((id.clone(), node.clone()));
            }
        }
        let is_enough = judgement.sure.len() >= self.round.policy.wanted;
        if is_enough {
            self.trim(id, row, &judgement);
        } else {
            for target in &judgement.never_brought {
                self.tell(id, row, target, judgement.reason, None);
            }
        }
        if judgement.missing > 0 {
            return Some(Short {
                id,
                row,
                reason: judgement.reason,
                kept: judgement.kept,
                missing: judgement.missing,
                instead_of: None,
            });
        }
        let is_exact =
            judgement.sure.len() == self.round.policy.wanted && judgement.kept.len() == judgement.sure.len();
        if is_exact && judgement.draining.is_empty() {
            self.better_placed(id, row, judgement)
        } else {
            None
        }
    }

    /// A chunk that has what it needs, and could have it at a better place.
    fn better_placed<'a>(
        &mut self,
        id: &'a ChunkId,
        row: &'a ChunkRow,
        judgement: Judgement,
    ) -> Option<Short<'a>> {
        let Round {
            topology, placement, ..
        } = *self.round;
        let sure = judgement.sure;
        let misplaced = if placement.geographic_spread {
            topology.misplaced(&sure)
        } else {
            None
        };
        let (from, reason) = if let Some(from) = misplaced {
            self.plan.tally.waits(Class::Misplaced, row.size, None);
            (from, TaskReason::Misplaced)
        } else if self.imbalance.is_even() {
            return None;
        } else {
            let full = sure.iter().find(|node| self.imbalance.excess.contains_key(*node));
            (full?, TaskReason::Rebalance)
        };
        let from = from.clone();
        Some(Short {
            id,
            row,
            reason,
            kept: sure.into_iter().filter(|node| *node != from).collect(),
            missing: 1,
            instead_of: Some(from),
        })
    }

    fn count(&mut self, id: &ChunkId, row: &ChunkRow, judgement: &Judgement) {
        let tally = &mut self.plan.tally;
        tally.count(judgement.sure.len());
        let Some(since) = judgement.lacking_since else {
            return;
        };
        let is_under_way = || {
            row.replicas.iter().any(|replica| {
                replica.state == ReplicaState::Assigned
                    && self.workload.reason_of(&replica.node, id).is_some()
            })
        };
        let was_stored = row
            .replicas
            .iter()
            .any(|replica| replica.state == ReplicaState::Stored);
        if !was_stored {
            tally.unconfirmed += 1;
        } else if judgement.missing > 0 || is_under_way() {
            let copies = (self.round.policy.wanted - judgement.sure.len()) as u64;
            let bytes = ByteSize::new(row.size.get().saturating_mul(copies));
            tally.waits(judgement.reason.into(), bytes, Some(since));
        } else if judgement.waits_until.is_some() {
            tally.awaiting_nodes += 1;
        } else if !judgement.has_source {
            tally.without_source += 1;
        }
    }

    fn note_due(&mut self, at: Option<Timestamp>) {
        self.plan.due_at = Timestamp::earlier(self.plan.due_at, at);
    }
}
