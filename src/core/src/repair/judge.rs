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
mod tests {
    use crate::row::Contact;
    use crate::testing;
    use std::collections::BTreeMap;

    use super::{Judgement, Policy, judge};
    use crate::id::NodeId;
    use crate::row::{ChunkRow, NodeRow, Observed, Replica, ReplicaState, TaskReason, Wanted};
    use crate::units::{ByteSize, Millis, Timestamp};

    const POLICY: Policy = Policy {
        wanted: 3,
        delay: Millis::new(900),
        delay_few: Millis::new(180),
        delay_last: Millis::new(60),
    };
    const NOW: Timestamp = Timestamp::from_millis(10_000);

    use ReplicaState::{Assigned, Deleting, Stored};

    fn silent_for(millis: u64) -> Observed {
        Observed::Inactive {
            since: NOW.minus(Millis::new(millis)),
            written_off: false,
        }
    }

    fn removed() -> Wanted {
        Wanted::Removed {
            at: NOW,
            reason: String::new(),
            drain: None,
        }
    }

    impl Judgement {
        /// Whether there is nothing to do.
        fn is_whole(&self) -> bool {
            self.missing == 0 && self.never_brought.is_empty() && self.forgettable.is_empty()
        }
    }

    /// Judges a chunk registered at the epoch, with copies on nodes in these states.
    fn judged(copies: &[(ReplicaState, Wanted, Observed)]) -> Judgement {
        let mut nodes = BTreeMap::new();
        let mut replicas = Vec::new();
        for (number, (state, wanted, observed)) in copies.iter().enumerate() {
            let id = NodeId::from(format!("n{number}"));
            let node = NodeRow {
                addresses: Vec::new(),
                capacity: ByteSize::ZERO,
                capabilities: BTreeMap::new(),
                registered_at: Timestamp::EPOCH,
                wanted: wanted.clone(),
                observed: *observed,
                contact: Contact::default(),
            };
            nodes.insert(id.clone(), node);
            replicas.push(Replica {
                node: id,
                state: *state,
            });
        }
        let chunk = ChunkRow {
            hash: "h".into(),
            size: ByteSize::new(1),
            created_at: Timestamp::EPOCH,
            home: Some("f".into()),
            index: 0,
            sharers: 0,
            unreferenced_since: None,
            replicas,
        };
        judge(&chunk, &nodes, NOW, &POLICY)
    }

    fn active(state: ReplicaState) -> (ReplicaState, Wanted, Observed) {
        (state, Wanted::InService, Observed::Active)
    }

    fn silent(millis: u64) -> (ReplicaState, Wanted, Observed) {
        (Stored, Wanted::InService, silent_for(millis))
    }

    #[test]
    fn enough_copies_are_enough() {
        assert!(judged(&[active(Stored), active(Stored), active(Stored)]).is_whole());
        let more = [active(Stored), active(Stored), active(Stored), active(Stored)];
        assert!(judged(&more).is_whole());
    }

    #[test]
    fn what_was_never_placed_is_missing_at_once() {
        let judgement = judged(&[active(Assigned)]);
        assert_eq!(
            (judgement.missing, judgement.reason),
            (2, TaskReason::Unconfirmed)
        );
        let judgement = judged(&[active(Stored)]);
        assert_eq!((judgement.missing, judgement.reason), (2, TaskReason::LastCopy));
        assert_eq!(judgement.kept, ["n0".into()]);
    }

    #[test]
    fn the_wait_for_a_silent_node_depends_on_what_is_left() {
        for (copies, after) in [
            (&[active(Stored), active(Stored)][..], 900),
            (&[active(Stored)], 60),
            (&[active(Stored), (Stored, removed(), silent_for(0))], 60),
        ] {
            let missing = |millis| {
                let mut copies = copies.to_vec();
                copies.push(silent(millis));
                let without = judged(&copies[..copies.len() - 1]).missing;
                without - judged(&copies).missing
            };
            assert_eq!(missing(after - 1), 1, "it is expected back: {copies:?}");
            assert_eq!(missing(after), 0, "it is not: {copies:?}");
        }
        let few = Policy { wanted: 4, ..POLICY };
        assert_eq!(few.delay_with(2), Millis::new(180));
        assert_eq!(few.delay_with(3), Millis::new(900));
    }

    #[test]
    fn maintenance_is_waited_for_and_draining_and_removed_nodes_are_not() {
        let until = Wanted::Maintenance { until: NOW };
        let resting = [active(Stored), active(Stored), (Stored, until, silent_for(9_000))];
        assert!(judged(&resting).is_whole());
        let draining = (Stored, testing::draining(), Observed::Active);
        let judgement = judged(&[active(Stored), active(Stored), draining]);
        assert_eq!((judgement.missing, judgement.reason), (1, TaskReason::Draining));
        let gone = (Stored, removed(), silent_for(0));
        let judgement = judged(&[active(Stored), active(Stored), gone]);
        assert_eq!(
            (judgement.missing, judgement.forgettable.len()),
            (1, 0),
            "until it is replaced, it keeps its place"
        );
    }

    #[test]
    fn a_removed_nodes_copy_is_forgotten_once_enough_are_stored() {
        let gone = || (Stored, removed(), silent_for(0));
        let judgement = judged(&[gone(), active(Stored), active(Stored), active(Stored)]);
        assert_eq!((judgement.missing, judgement.forgettable), (0, vec!["n0".into()]));
        let judgement = judged(&[gone(), active(Stored), active(Stored), active(Assigned)]);
        assert!(judgement.forgettable.is_empty(), "one of them is not there yet");
    }

    #[test]
    fn what_no_client_brought_is_fetched_from_what_is_stored() {
        let judgement = judged(&[active(Stored), active(Assigned), active(Assigned)]);
        assert_eq!(judgement.never_brought, ["n1".into(), "n2".into()]);
        assert_eq!(judgement.missing, 0);
        assert!(judged(&[active(Assigned), active(Assigned), active(Assigned)]).is_whole());
    }

    #[test]
    fn a_copy_on_its_way_to_a_node_at_rest_does_not_count() {
        let until = Wanted::Maintenance { until: NOW };
        let resting = (Assigned, until, Observed::Active);
        let judgement = judged(&[active(Stored), resting.clone(), resting]);
        assert_eq!((judgement.missing, judgement.kept), (2, vec!["n0".into()]));
    }

    #[test]
    fn nothing_can_be_done_without_a_source_and_deleted_copies_are_none() {
        assert!(judged(&[silent(9_000), silent(9_000)]).is_whole());
        let judgement = judged(&[active(Deleting), active(Stored), active(Stored)]);
        assert_eq!(judgement.missing, 1);
        assert!(!judgement.kept.contains(&"n0".into()));
    }

    #[test]
    fn the_lack_is_as_old_as_the_losses_that_make_it_up() {
        let since = |copies: &[(ReplicaState, Wanted, Observed)]| {
            let judgement = judged(copies);
            judgement.lacking_since.map(|since| NOW.since(since).get())
        };
        let three = [active(Stored), active(Stored), active(Stored)];
        assert_eq!(since(&three), None);
        assert_eq!(since(&[active(Stored), active(Stored), silent(40)]), Some(40));
        assert_eq!(
            since(&[active(Stored), active(Stored), silent(40), silent(9_000)]),
            Some(40),
            "the other one was replaced long ago"
        );
        assert_eq!(since(&[active(Stored), silent(40), silent(9_000)]), Some(9_000));
        assert_eq!(
            since(&[active(Stored), active(Stored)]),
            Some(10_000),
            "it never came"
        );
    }

    #[test]
    fn it_is_said_how_long_a_silent_node_is_waited_for() {
        let waits = |copies: &[(ReplicaState, Wanted, Observed)]| judged(copies).waits_until;
        assert_eq!(waits(&[active(Stored), active(Stored), active(Stored)]), None);
        let until = NOW.plus(Millis::new(860));
        assert_eq!(waits(&[active(Stored), active(Stored), silent(40)]), Some(until));
        assert_eq!(
            waits(&[active(Stored), active(Stored), silent(900)]),
            None,
            "no longer"
        );
        let resting_until = |until| {
            let wanted = Wanted::Maintenance { until };
            waits(&[active(Stored), active(Stored), (Stored, wanted, silent_for(40))])
        };
        let later = NOW.plus(Millis::new(5_000));
        assert_eq!(resting_until(later), Some(later), "until its maintenance is over");
        assert_eq!(resting_until(NOW), Some(until), "and then as any other");
    }
}
