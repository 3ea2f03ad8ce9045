//! What is lacking, and what is waited for.

use std::collections::BTreeMap;

use super::{Judgement, Policy, judge};
use crate::id::NodeId;
use crate::row::{ChunkRow, Contact, NodeRow, Observed, Replica, ReplicaState, TaskReason, Wanted};
use crate::testing;
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
