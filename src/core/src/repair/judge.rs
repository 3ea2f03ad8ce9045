//! What a chunk that files hold lacks.

use super::Nodes;
use crate::id::NodeId;
use crate::row::{ChunkRow, NodeRow, Observed, ReplicaState, TaskReason, Wanted};
use crate::units::{Millis, Timestamp};

/// What the operator wants of repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The copies wanted of each chunk.
    pub wanted: usize,
    /// How long a silent node is expected back before its copies are replaced.
    pub delay: Millis,
    /// The same when at most half of the copies wanted are stored elsewhere.
    pub delay_few: Millis,
    /// The same when one is, or none.
    pub delay_last: Millis,
}

/// What a chunk lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// How many more nodes are to be told to take a copy.
    pub missing: usize,
    /// Nodes that were told to take a copy and are due a task to fetch it, since no client brought it.
    pub never_brought: Vec<NodeId>,
    /// Nodes whose copies can be forgotten: they were unregistered, or fell silent while they drained, or a client was to bring the copy and others have come
    /// meanwhile.
    pub forgettable: Vec<NodeId>,
    /// The nodes whose copies count: new ones are put elsewhere.
    pub kept: Vec<NodeId>,
    /// The nodes whose stored copies can be relied on now: they are in service and heard from.
    pub sure: Vec<NodeId>,
    /// Nodes that are to give up their stored copies, and can be told to.
    pub draining: Vec<NodeId>,
    /// Why copies are to be made.
    pub reason: TaskReason,
    /// Whether there is a node that can be asked for the chunk now.
    pub has_source: bool,
    /// Since when there are fewer sure copies than wanted; `None` if there are enough.
    pub lacking_since: Option<Timestamp>,
    /// When a silent node is waited for no longer; `None` if none is waited for.
    pub waits_until: Option<Timestamp>,
}

/// Copies on nodes that can be asked for them now.
#[derive(Default)]
struct Reachable {
    stored: usize,
    assigned: usize,
    on_draining: usize,
    /// Stored on nodes in service.
    sure: usize,
}

/// Judges a chunk. One that no file holds lacks nothing.
///
/// A copy on a node that is not known counts: the node registered a moment ago, and the caller has not seen it yet.
pub fn judge(chunk: &ChunkRow, nodes: &impl Nodes, now: Timestamp, policy: &Policy) -> Judgement {
    let reachable = Reachable::of(chunk, nodes);
    let delay = policy.delay_with(reachable.stored);
    let mut judgement = Judgement {
        missing: 0,
        never_brought: Vec::new(),
        forgettable: Vec::new(),
        kept: Vec::new(),
        sure: Vec::new(),
        draining: Vec::new(),
        reason: policy.reason(&reachable),
        has_source: reachable.stored + reachable.assigned > 0,
        lacking_since: None,
        waits_until: None,
    };
    if !chunk.is_referenced() {
        return judgement;
    }
    let mut lost = Vec::new();
    let is_old = now.since(chunk.created_at) >= delay;
    for replica in &chunk.replicas {
        if replica.state == ReplicaState::Deleting {
            continue;
        }
        let node = nodes.node(&replica.node);
        if node.is_none_or(|node| counts(replica.state, node, now, delay)) {
            judgement.kept.push(replica.node.clone());
        }
        let Some(node) = node else { continue };
        if replica.state == ReplicaState::Stored {
            if node.holds_surely() {
                judgement.sure.push(replica.node.clone());
            } else if node.serves_reads() && node.drain().is_some() {
                judgement.draining.push(replica.node.clone());
            }
            lost.extend(lost_at(node));
            let until = waits_until(node, delay).filter(|until| now < *until);
            judgement.waits_until = Timestamp::earlier(judgement.waits_until, until);
        }
        let is_enough = reachable.sure >= policy.wanted.max(1);
        let is_lost = node.is_removed() || node.drain().is_some() && !node.serves_reads();
        if is_enough && (is_lost || replica.state == ReplicaState::Assigned && is_old) {
            judgement.forgettable.push(replica.node.clone());
        }
        let never_came = replica.state == ReplicaState::Assigned && is_old && reachable.stored > 0;
        if never_came && node.takes_replicas() {
            judgement.never_brought.push(replica.node.clone());
        }
    }
    // Without anything to copy from there is nothing to be done.
    if judgement.has_source {
        judgement.missing = policy.wanted.saturating_sub(judgement.kept.len());
    }
    judgement.lacking_since = lacking_since(chunk, policy.wanted, judgement.sure.len(), lost);
    judgement
}

/// When a silent node is waited for no longer; `None` if the node is not silent, or nobody expects it.
fn waits_until(node: &NodeRow, delay: Millis) -> Option<Timestamp> {
    let Observed::Inactive { since, .. } = node.observed else {
        return None;
    };
    match node.wanted {
        Wanted::InService => Some(since.plus(delay)),
        // When its maintenance is over, it is waited for like any other.
        Wanted::Maintenance { until } => Some(until.max(since.plus(delay))),
        Wanted::Draining(_) | Wanted::Removed { .. } => None,
    }
}

/// When a stored copy on a node ceased to be one that can be relied on; `None` if it can.
const fn lost_at(node: &NodeRow) -> Option<Timestamp> {
    match (&node.wanted, node.observed) {
        (Wanted::Removed { at, .. }, _) => Some(*at),
        (Wanted::Draining(drain), _) => Some(drain.since),
        (Wanted::InService | Wanted::Maintenance { .. }, Observed::Inactive { since, .. }) => Some(since),
        (Wanted::InService | Wanted::Maintenance { .. }, Observed::Active) => None,
    }
}

/// Since when copies are lacking: since the first of the latest losses that make up for the lack. Earlier ones were made
/// good already; where there are too few losses, the copies have never been there.
fn lacking_since(
    chunk: &ChunkRow,
    wanted: usize,
    sure: usize,
    mut lost: Vec<Timestamp>,
) -> Option<Timestamp> {
    let lacking = wanted.checked_sub(sure).filter(|lacking| *lacking > 0)?;
    lost.sort_unstable_by(|one, other| other.cmp(one));
    Some(lost.get(lacking - 1).copied().unwrap_or(chunk.created_at))
}

/// Whether a copy on a node counts: it is there, or on its way, or expected back.
fn counts(state: ReplicaState, node: &NodeRow, now: Timestamp, delay: Millis) -> bool {
    if state == ReplicaState::Assigned {
        return node.takes_replicas();
    }
    match (&node.wanted, node.observed) {
        (Wanted::InService, Observed::Inactive { since, .. }) => now < since.plus(delay),
        (
            Wanted::InService | Wanted::Maintenance { .. } | Wanted::Draining(_) | Wanted::Removed { .. },
            Observed::Active | Observed::Inactive { .. },
        ) => node.keeps_replicas(),
    }
}

impl Reachable {
    fn of(chunk: &ChunkRow, nodes: &impl Nodes) -> Self {
        let mut reachable = Self::default();
        for replica in &chunk.replicas {
            let Some(node) = nodes.node(&replica.node).filter(|node| node.serves_reads()) else {
                continue;
            };
            match replica.state {
                ReplicaState::Stored => {
                    reachable.stored += 1;
                    reachable.sure += usize::from(node.keeps_replicas());
                    reachable.on_draining += usize::from(node.drain().is_some());
                }
                ReplicaState::Assigned => reachable.assigned += 1,
                ReplicaState::Deleting => {}
            }
        }
        reachable
    }
}

impl Policy {
    const fn delay_with(&self, stored: usize) -> Millis {
        if stored <= 1 {
            self.delay_last
        } else if stored * 2 <= self.wanted {
            self.delay_few
        } else {
            self.delay
        }
    }

    const fn reason(&self, reachable: &Reachable) -> TaskReason {
        let stored = reachable.stored;
        if stored == 0 {
            TaskReason::Unconfirmed
        } else if stored == 1 && self.wanted > 1 {
            TaskReason::LastCopy
        } else if stored * 2 <= self.wanted {
            TaskReason::FewCopies
        } else if stored >= self.wanted && reachable.on_draining > 0 {
            TaskReason::Draining
        } else {
            TaskReason::UnderTarget
        }
    }
}

#[cfg(test)]
mod tests;
