//! How much nodes have to do, and how much more they can be told.
//!
//! Tasks that come to nothing hold their slots for minutes, and there may be any number of the less urgent ones. So each
//! class has a share of every limit that those below it cannot take, and deletions have slots of their own.

use std::collections::BTreeMap;

use super::Class;
use crate::id::{ChunkId, NodeId};
use crate::row::{TaskKind, TaskReason, TaskRow};

/// How much may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Copies, all nodes together: more wait in the chunks' own rows, where every pass finds them. The same for
    /// deletions.
    pub overall: usize,
    /// The same, of those that nodes were told of lately, for what is not urgent: clients are not to notice.
    pub window: usize,
    /// Copies that a node is told to fetch.
    pub per_target: usize,
    /// Copies that are fetched from a node before others.
    pub per_source: usize,
    /// Copies into one rack, or the narrowest domain above that is named.
    pub per_domain: usize,
    /// Copies that a node is told to drop. One that does not drop them holds up its own garbage only.
    pub deletions_per_node: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            overall: 100_000,
            window: 100_000,
            per_target: 200,
            per_source: 200,
            per_domain: 5_000,
            deletions_per_node: 100,
        }
    }
}

/// How much somebody has to do.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    copies: usize,
    /// Copies of chunks of which none is known to be stored: these may well come to nothing.
    unconfirmed: usize,
    deletions: usize,
}

impl Load {
    fn add(&mut self, kind: TaskKind, reason: TaskReason) {
        match kind {
            TaskKind::Replicate => self.copies += 1,
            TaskKind::Delete => self.deletions += 1,
        }
        self.unconfirmed += usize::from(reason == TaskReason::Unconfirmed);
    }

    /// Whether there is room for one more copy, of this many slots in all.
    fn has_room(&self, reason: TaskReason, slots: usize) -> bool {
        let of_class = match Class::from(reason) {
            Class::LastCopy => slots,
            Class::FewCopies => slots * 9 / 10,
            Class::UnderTarget if reason == TaskReason::Unconfirmed => {
                return self.unconfirmed < slots / 10 && self.copies < slots * 8 / 10;
            }
            Class::UnderTarget => slots * 8 / 10,
            Class::Misplaced => slots * 6 / 10,
            Class::Drain => slots * 5 / 10,
            Class::Rebalance => slots * 2 / 10,
            // These are reasons to delete.
            Class::Trim | Class::Garbage => 0,
        };
        self.copies < of_class
    }
}

/// What is under way.
#[derive(Debug, Default)]
pub struct Workload {
    limits: Limits,
    targets: BTreeMap<NodeId, Load>,
    sources: BTreeMap<NodeId, Load>,
    domains: BTreeMap<u32, Load>,
    all: Load,
    /// What nodes were told of lately, and may be at. What is tried again comes to nothing, or to work at the pace of a slow
    /// disk: it takes none of the window, or a few nodes that do nothing would hold up everything.
    lately: Load,
    copies: BTreeMap<(NodeId, ChunkId), TaskReason>,
}

impl Workload {
    /// Nothing is under way.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// A task of a node, which lies in this failure domain if it names one.
    ///
    /// `is_at_it` says whether the node is heard and can be at it: a task of one that is silent or gone may wait for long.
    pub fn add(
        &mut self,
        node: &NodeId,
        chunk: &ChunkId,
        domain: Option<u32>,
        task: &TaskRow,
        is_at_it: bool,
    ) {
        if task.kind == TaskKind::Replicate {
            self.told(node, chunk, task.reason);
        }
        self.take_slots(node, domain, task.kind, task.reason, task.source.as_ref());
        if is_at_it && task.attempt <= 1 {
            self.lately.add(task.kind, task.reason);
        }
    }

    /// A node is told one more.
    pub fn count(
        &mut self,
        node: &NodeId,
        domain: Option<u32>,
        kind: TaskKind,
        reason: TaskReason,
        source: Option<&NodeId>,
    ) {
        self.take_slots(node, domain, kind, reason, source);
        self.lately.add(kind, reason);
    }

    fn take_slots(
        &mut self,
        node: &NodeId,
        domain: Option<u32>,
        kind: TaskKind,
        reason: TaskReason,
        source: Option<&NodeId>,
    ) {
        let target = self.targets.entry(node.clone()).or_default();
        // A node that does not drop what it was told to takes no more than its share of what all can be told.
        if kind == TaskKind::Replicate || target.deletions < self.limits.deletions_per_node {
            self.all.add(kind, reason);
        }
        target.add(kind, reason);
        if let Some(domain) = domain {
            self.domains.entry(domain).or_default().add(kind, reason);
        }
        if let Some(source) = source {
            self.sources.entry(source.clone()).or_default().add(kind, reason);
        }
    }

    /// A node is told to fetch a copy of a chunk.
    pub fn told(&mut self, node: &NodeId, chunk: &ChunkId, reason: TaskReason) {
        self.copies.insert((node.clone(), chunk.clone()), reason);
    }

    /// Why a node was told to fetch a copy of a chunk, if it was.
    pub fn reason_of(&self, node: &NodeId, chunk: &ChunkId) -> Option<TaskReason> {
        // Nearly always there is nothing to look for.
        if self.copies.is_empty() {
            return None;
        }
        self.copies.get(&(node.clone(), chunk.clone())).copied()
    }

    /// Whether anything at all can be copied for this reason.
    pub fn has_room(&self, reason: TaskReason) -> bool {
        let is_urgent = matches!(Class::from(reason), Class::LastCopy | Class::FewCopies);
        self.all.has_room(reason, self.limits.overall)
            && (is_urgent || self.lately.has_room(reason, self.limits.window))
    }

    /// How many tasks nodes were told of lately, and are at.
    pub const fn under_way(&self) -> usize {
        self.lately.copies + self.lately.deletions
    }

    /// Whether a node in this failure domain can be told to fetch one more copy.
    pub fn target_has_room(&self, node: &NodeId, domain: Option<u32>, reason: TaskReason) -> bool {
        let load = self.targets.get(node).copied().unwrap_or_default();
        let of_domain = domain.and_then(|domain| self.domains.get(&domain).copied());
        load.has_room(reason, self.limits.per_target)
            && of_domain
                .unwrap_or_default()
                .has_room(reason, self.limits.per_domain)
            && self.has_room(reason)
    }

    /// Whether one more copy can be fetched from a node.
    pub fn source_has_room(&self, node: &NodeId, reason: TaskReason) -> bool {
        let load = self.sources.get(node).copied().unwrap_or_default();
        load.has_room(reason, self.limits.per_source)
    }

    /// How many copies are being fetched from a node.
    pub fn from_source(&self, node: &NodeId) -> usize {
        self.sources.get(node).map_or(0, |load| load.copies)
    }

    /// Whether a node can be told to drop one more copy. One that is to give up all it has is told more at a time.
    pub fn has_room_for_deletion(&self, node: &NodeId, reason: TaskReason) -> bool {
        let load = self.targets.get(node).copied().unwrap_or_default();
        let limit = match reason {
            TaskReason::Draining => 3 * self.limits.deletions_per_node,
            _ => self.limits.deletions_per_node,
        };
        // As with copies, what can wait leaves room for what others wait for.
        let window = match reason {
            TaskReason::Draining => self.limits.window,
            TaskReason::Surplus => self.limits.window * 8 / 10,
            _ => self.limits.window * 6 / 10,
        };
        load.deletions < limit && self.all.deletions < self.limits.overall && self.lately.deletions < window
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Workload};
    use crate::id::{ChunkId, NodeId, TaskId};
    use crate::row::{TaskKind, TaskReason, TaskRow};
    use crate::units::{ByteSize, Timestamp};

    const LIMITS: Limits = Limits {
        overall: 300,
        window: 300,
        per_target: 100,
        per_source: 50,
        per_domain: 150,
        deletions_per_node: 10,
    };

    fn fill(workload: &mut Workload, node: &str, reason: TaskReason) -> usize {
        let node = NodeId::from(node);
        let mut told = 0;
        while workload.target_has_room(&node, Some(7), reason) {
            workload.count(&node, Some(7), TaskKind::Replicate, reason, None);
            told += 1;
        }
        told
    }

    #[test]
    fn each_class_leaves_room_for_those_above() {
        let mut workload = Workload::new(LIMITS);
        let mut told = |reason| fill(&mut workload, "n", reason);
        assert_eq!(told(TaskReason::Rebalance), 20);
        assert_eq!(told(TaskReason::Draining), 30);
        assert_eq!(told(TaskReason::Misplaced), 10);
        assert_eq!(told(TaskReason::Unconfirmed), 10);
        assert_eq!(told(TaskReason::UnderTarget), 10);
        assert_eq!(told(TaskReason::FewCopies), 10);
        assert_eq!(told(TaskReason::LastCopy), 10);
        assert_eq!(told(TaskReason::LastCopy), 0);
    }

    #[test]
    fn a_failure_domain_and_all_together_have_limits_of_their_own() {
        let mut workload = Workload::new(LIMITS);
        assert_eq!(fill(&mut workload, "a", TaskReason::LastCopy), 100);
        assert_eq!(
            fill(&mut workload, "b", TaskReason::LastCopy),
            50,
            "the domain is full"
        );
        let elsewhere = NodeId::from("c");
        for _ in 0..100 {
            workload.count(
                &elsewhere,
                Some(8),
                TaskKind::Replicate,
                TaskReason::LastCopy,
                None,
            );
        }
        assert!(workload.has_room(TaskReason::LastCopy) && !workload.has_room(TaskReason::UnderTarget));
    }

    #[test]
    fn a_source_gives_to_so_many_at_once() {
        let mut workload = Workload::new(LIMITS);
        let (from, to) = (NodeId::from("from"), NodeId::from("to"));
        for _ in 0..40 {
            assert!(workload.source_has_room(&from, TaskReason::UnderTarget));
            workload.count(
                &to,
                None,
                TaskKind::Replicate,
                TaskReason::UnderTarget,
                Some(&from),
            );
        }
        assert!(!workload.source_has_room(&from, TaskReason::UnderTarget));
        assert!(workload.source_has_room(&from, TaskReason::LastCopy));
        assert_eq!(workload.from_source(&from), 40);
    }

    #[test]
    fn the_window_holds_back_what_is_not_urgent_and_lately_told() {
        let mut workload = Workload::new(Limits { window: 50, ..LIMITS });
        let node = NodeId::from("n");
        let again = TaskRow {
            id: TaskId::from_bytes([1; 16]),
            kind: TaskKind::Replicate,
            reason: TaskReason::UnderTarget,
            created_at: Timestamp::EPOCH,
            deadline: Timestamp::EPOCH,
            attempt: 2,
            source: None,
            size: ByteSize::ZERO,
        };
        for chunk in 0..30 {
            workload.add(
                &node,
                &ChunkId::from(format!("c{chunk}").as_str()),
                None,
                &again,
                true,
            );
        }
        assert_eq!(workload.under_way(), 0);
        assert_eq!(fill(&mut workload, "a", TaskReason::UnderTarget), 40);
        assert_eq!(workload.under_way(), 40);
        assert_eq!(fill(&mut workload, "a", TaskReason::FewCopies), 50);
        let mut deletions = 0;
        for (reason, all) in [
            (TaskReason::Unreferenced, 30),
            (TaskReason::Surplus, 40),
            (TaskReason::Draining, 50),
        ] {
            while workload.has_room_for_deletion(&NodeId::from(format!("d{deletions}").as_str()), reason) {
                let node = NodeId::from(format!("d{deletions}").as_str());
                workload.count(&node, None, TaskKind::Delete, reason, None);
                deletions += 1;
            }
            assert_eq!(deletions, all, "{reason:?}");
        }
    }

    #[test]
    fn a_node_that_is_not_there_takes_none_of_the_window() {
        let mut workload = Workload::new(LIMITS);
        let deletion = TaskRow {
            id: TaskId::from_bytes([1; 16]),
            kind: TaskKind::Delete,
            reason: TaskReason::Draining,
            created_at: Timestamp::EPOCH,
            deadline: Timestamp::EPOCH,
            attempt: 1,
            source: None,
            size: ByteSize::ZERO,
        };
        let chunk = ChunkId::from("c");
        workload.add(&NodeId::from("gone"), &chunk, None, &deletion, false);
        assert_eq!(workload.under_way(), 0);
        workload.add(&NodeId::from("there"), &chunk, None, &deletion, true);
        assert_eq!(workload.under_way(), 1);
    }

    #[test]
    fn deletions_and_copies_do_not_take_each_others_slots() {
        let mut workload = Workload::new(LIMITS);
        let node = NodeId::from("n");
        for _ in 0..10 {
            assert!(workload.has_room_for_deletion(&node, TaskReason::Unreferenced));
            workload.count(&node, None, TaskKind::Delete, TaskReason::Unreferenced, None);
        }
        assert!(!workload.has_room_for_deletion(&node, TaskReason::Unreferenced));
        assert_eq!(fill(&mut workload, "n", TaskReason::LastCopy), 100);
    }
}
