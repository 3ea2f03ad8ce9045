//! Choosing nodes for copies to make, and whom they fetch them from.

use super::{Planner, Round, Short};
use crate::command::CopyPlan;
use crate::id::{ChunkId, NodeId};
use crate::placement::CopyWanted;
use crate::repair::{Class, Nodes};
use crate::row::{ChunkRow, Replica, ReplicaState, TaskKind, TaskReason};

impl<N: Nodes> Planner<'_, N> {
    /// Chooses nodes for chunks that lack copies for the same reason, among those that can be told.
    pub(super) fn choose_targets(&mut self, short: &[Short<'_>]) {
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
    pub(super) fn tell(
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
