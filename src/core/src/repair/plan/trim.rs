//! Dropping copies of chunks that have enough without them.

use super::Planner;
use crate::command::TrimPlan;
use crate::id::{ChunkId, NodeId};
use crate::repair::{Class, Judgement, Nodes};
use crate::row::{ChunkRow, ReplicaState, TaskKind, TaskReason};
use crate::units::ByteSize;

impl<N: Nodes> Planner<'_, N> {
    /// Drops what a chunk that has enough sure copies has besides. Copies on nodes that may be about to be found silent make
    /// up for none.
    pub(super) fn trim(&mut self, id: &ChunkId, row: &ChunkRow, judgement: &Judgement) {
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
}
