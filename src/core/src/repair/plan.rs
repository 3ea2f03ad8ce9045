//! Planning: what is to be done about a page of chunks.
//!
//! Each chunk is judged by itself; then nodes are chosen for the copies to make, the most urgent first, within what nodes
//! can be told and what their links may carry. Whatever finds no place now is found again by the next pass.

use std::collections::BTreeMap;

use super::{Class, Imbalance, Judgement, Memory, Nodes, Policy, Tally, Workload, judge};
use crate::command::{CopyPlan, TrimPlan};
use crate::id::{ChunkId, NodeId};
use crate::placement::{self, CopyWanted, Topology};
use crate::row::{ChunkRow, Replica, ReplicaState, TaskKind, TaskReason};
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

    /// Drops what a chunk that has enough sure copies has besides. Copies on nodes that may be about to be found silent make
    /// up for none.
    fn trim(&mut self, id: &ChunkId, row: &ChunkRow, judgement: &Judgement) {
        let wanted = self.round.policy.wanted;
        let is_late = |node: &&NodeId| self.round.nodes.is_late(node);
        let mut left: Vec<NodeId> = judgement
            .sure
            .iter()
            .filter(|node| !is_late(node))
            .cloned()
            .collect();
        if left.len() < wanted {
            self.plan.left_something = true;
            return;
        }
        for node in &judgement.draining {
            self.drop_copy(id, node, TaskReason::Draining);
        }
        for replica in &row.replicas {
            let is_called_off = replica.state == ReplicaState::Assigned
                && self
                    .workload
                    .reason_of(&replica.node, id)
                    .is_some_and(|reason| Class::from(reason).is_lack());
            if is_called_off {
                self.drop_copy(id, &replica.node, TaskReason::Surplus);
            }
        }
        let surplus = left.len() - wanted;
        if surplus == 0 {
            if judgement.kept.len() > judgement.sure.len() {
                self.memory.still_expected(id);
            } else {
                self.memory.no_surplus(id);
            }
            return;
        }
        let known = self.memory.surplus_since(id, self.round.now);
        let bytes = ByteSize::new(row.size.get().saturating_mul(surplus as u64));
        let since = known.as_ref().map(|(since, _)| *since);
        self.plan.tally.waits(Class::Trim, bytes, since);
        let Some((since, moved_from)) = known else { return };
        if self.round.now.since(since) < self.round.trim_after {
            self.note_due(Some(since.plus(self.round.trim_after)));
            return;
        }
        let mut moved_from = moved_from.filter(|from| left.contains(from));
        for _ in 0..surplus {
            let over_domains = self.round.placement.geographic_spread;
            let worst = || self.round.topology.worst_placed(&left, over_domains).cloned();
            let Some(node) = moved_from.take().or_else(worst) else {
                break;
            };
            self.drop_copy(id, &node, TaskReason::Surplus);
            left.retain(|other| *other != node);
        }
    }

    fn note_due(&mut self, at: Option<Timestamp>) {
        self.plan.due_at = Timestamp::earlier(self.plan.due_at, at);
    }

    fn drop_copy(&mut self, chunk: &ChunkId, node: &NodeId, reason: TaskReason) {
        if !self.workload.has_room_for_deletion(node, reason) {
            self.plan.left_something = true;
            return;
        }
        self.workload.count(node, None, TaskKind::Delete, reason, None);
        self.plan.trims.push(TrimPlan {
            chunk: chunk.clone(),
            node: node.clone(),
            reason,
        });
    }

    /// Chooses nodes for chunks that lack copies for the same reason, among those that can be told.
    fn choose_targets(&mut self, short: &[Short<'_>]) {
        let Some(reason) = short.first().map(|chunk| chunk.reason) else {
            return;
        };
        if !self.workload.has_room(reason) {
            self.plan.left_something = true;
            return;
        }
        let wanted: Vec<CopyWanted> = short.iter().map(wanted_of).collect();
        let Round {
            topology,
            placement,
            nodes,
            now,
            ..
        } = *self.round;
        let (workload, memory, imbalance) = (&*self.workload, &*self.memory, &*self.imbalance);
        // A last copy does not wait for a node to be forgiven.
        let is_last = Class::from(reason) == Class::LastCopy;
        let is_open = |node: &NodeId| {
            workload.target_has_room(node, topology.failure_domain(node), reason)
                && memory.budget.allows_into(node, reason, now)
                && (is_last || memory.backs_off_until(node, now).is_none())
                && !nodes.is_late(node)
                && (reason != TaskReason::Rebalance || imbalance.room.contains_key(node))
        };
        let plans = topology.plan_copies(&wanted, placement, self.round.seed, self.round.promised, &is_open);
        for (chunk, targets) in short.iter().zip(plans) {
            self.plan.left_something |= targets.len() < chunk.missing;
            for target in targets {
                self.place(chunk, &target);
            }
        }
    }

    /// Plans one copy, if it is worth it.
    fn place(&mut self, chunk: &Short<'_>, target: &NodeId) {
        let Some(from) = &chunk.instead_of else {
            self.tell(chunk.id, chunk.row, target, chunk.reason, None);
            return;
        };
        let topology = self.round.topology;
        let mut nodes = chunk.kept.clone();
        nodes.push(from.clone());
        let is_worth_it = match chunk.reason {
            TaskReason::Rebalance => topology.is_as_good(&nodes, from, target),
            _ => topology.is_better(&nodes, from, target),
        };
        if is_worth_it && self.tell(chunk.id, chunk.row, target, chunk.reason, Some(from)) {
            self.memory.expect_surplus(chunk.id, from);
            if chunk.reason == TaskReason::Rebalance {
                self.plan.tally.waits(Class::Rebalance, chunk.row.size, None);
                self.imbalance.moved(from, target, chunk.row.size);
            }
        }
    }

    /// Plans a copy, unless its node has the task already, or too many, or no source can give one more. Tells whether it
    /// did.
    fn tell(
        &mut self,
        id: &ChunkId,
        row: &ChunkRow,
        target: &NodeId,
        reason: TaskReason,
        instead_of: Option<&NodeId>,
    ) -> bool {
        let now = self.round.now;
        let domain = self.round.topology.failure_domain(target);
        if self.workload.reason_of(target, id).is_some() {
            return false;
        }
        let has_room = self.workload.target_has_room(target, domain, reason)
            && self.memory.budget.allows_into(target, reason, now);
        let Some(source) = self.source_of(row, target, reason).filter(|_| has_room) else {
            self.plan.left_something = true;
            return false;
        };
        self.memory.budget.spend(target, source.as_ref(), row.size, now);
        self.workload
            .count(target, domain, TaskKind::Replicate, reason, source.as_ref());
        self.workload.told(target, id, reason);
        self.plan.promises.push((target.clone(), row.size));
        self.plan.copies.push(CopyPlan {
            chunk: id.clone(),
            target: target.clone(),
            reason,
            source,
            instead_of: instead_of.cloned(),
        });
        true
    }

    /// The node that a copy is fetched from first: of those that are known to store one, the one that gives least to
    /// others now. `Some(None)` if none is known to, and whoever was told to take one may be asked; `None` if there are
    /// some, and they give as much as they can.
    fn source_of(&self, row: &ChunkRow, target: &NodeId, reason: TaskReason) -> Option<Option<NodeId>> {
        let now = self.round.now;
        let can_be_asked = |replica: &&Replica| {
            replica.state == ReplicaState::Stored
                && replica.node != *target
                && !self.round.nodes.is_late(&replica.node)
                && self
                    .round
                    .nodes
                    .node(&replica.node)
                    .is_some_and(|node| node.serves_reads())
        };
        let mut sources = row.replicas.iter().filter(can_be_asked).peekable();
        if sources.peek().is_none() {
            return (reason == TaskReason::Unconfirmed).then_some(None);
        }
        let has_room = |replica: &&Replica| {
            self.workload.source_has_room(&replica.node, reason)
                && self
                    .memory
                    .budget
                    .allows(target, Some(&replica.node), reason, now)
        };
        sources
            .filter(has_room)
            .min_by_key(|replica| self.workload.from_source(&replica.node))
            .map(|replica| Some(replica.node.clone()))
    }
}

fn wanted_of(chunk: &Short<'_>) -> CopyWanted {
    let is_kept = |node: &NodeId| chunk.kept.contains(node);
    CopyWanted {
        size: chunk.row.size,
        kept: chunk.kept.clone(),
        // Whoever has a copy that does not count, or is to drop one, cannot take another.
        barred: chunk
            .row
            .replicas
            .iter()
            .filter(|replica| replica.state == ReplicaState::Deleting || !is_kept(&replica.node))
            .map(|replica| replica.node.clone())
            .collect(),
        missing: chunk.missing,
    }
}
