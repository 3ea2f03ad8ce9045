//! Copies that lie badly are found, the worst of them is named, and what keeps others out is said.

use std::collections::BTreeMap;

use super::{SPREAD, candidate};
use crate::id::NodeId;
use crate::placement::{Candidate, CopyWanted, Exclusion, Purpose, Topology, explain};
use crate::row::{ChunkRow, Replica, ReplicaState};
use crate::units::{ByteSize, Timestamp};

fn ids<const N: usize>(nodes: [&str; N]) -> [NodeId; N] {
    nodes.map(NodeId::from)
}

/// Two nodes in each of two racks of zones `a` and `b`, one node in zone `c`: `a11`, `a12`, `a21`, ... and `c`.
fn zones() -> Vec<Candidate> {
    let mut nodes = Vec::new();
    for zone in ["a", "b"] {
        for rack in ["1", "2"] {
            for number in ["1", "2"] {
                let id = format!("{zone}{rack}{number}");
                nodes.push(candidate(&id, 1_000, 100, [("zone", zone), ("rack", rack)]));
            }
        }
    }
    nodes.push(candidate("c", 1_000, 100, [("zone", "c")]));
    nodes
}

#[test]
fn copies_that_could_be_spread_better_are_misplaced() {
    let topology = Topology::new(zones());
    for (nodes, misplaced) in [
        (ids(["a11", "b11", "c"]).to_vec(), false),
        (ids(["a11", "a21", "b11"]).to_vec(), true),
        (ids(["a11", "b11"]).to_vec(), false),
        (ids(["a11", "a12"]).to_vec(), true),
        (ids(["a11", "a21"]).to_vec(), true),
        (ids(["a11", "a21", "b11", "c"]).to_vec(), false),
        (ids(["a11", "a12", "b11", "c"]).to_vec(), true),
        (ids(["a11"]).to_vec(), false),
        (ids(["unknown", "a11"]).to_vec(), false),
    ] {
        assert_eq!(topology.misplaced(&nodes).is_some(), misplaced, "{nodes:?}");
    }
}

#[test]
fn nothing_is_misplaced_that_could_not_lie_elsewhere() {
    let mut nodes = zones();
    nodes[8].used = ByteSize::new(950);
    nodes[8].free = ByteSize::new(50);
    let topology = Topology::new(nodes);
    let nodes = ids(["a11", "a21", "b11"]);
    assert_eq!(topology.misplaced(&nodes), None, "zone c has no room");
}

#[test]
fn a_free_rack_in_a_zone_that_has_its_share_makes_nothing_misplaced() {
    let mut nodes = zones();
    nodes.retain(|node| node.id != "c".into() && !node.id.as_str().starts_with("b2"));
    nodes.push(candidate("a31", 1_000, 100, [("zone", "a"), ("rack", "3")]));
    let topology = Topology::new(nodes);
    let even = ids(["a11", "a21", "b11", "b12"]);
    assert_eq!(
        topology.misplaced(&even),
        None,
        "rack 3 of zone a would have to take a third copy in that zone"
    );
    let uneven = ids(["a11", "a12", "b11", "b12"]);
    let from = topology.misplaced(&uneven).unwrap();
    assert!(
        from.as_str().starts_with("a1"),
        "only zone a has free racks: {from}"
    );
}

#[test]
fn the_worst_placed_copy_shares_most_and_then_is_on_the_fullest_node() {
    let mut nodes = zones();
    nodes[2].used = ByteSize::new(500);
    nodes[2].free = ByteSize::new(500);
    let topology = Topology::new(nodes);
    let worst = |nodes: &[NodeId], over_domains| topology.worst_placed(nodes, over_domains).cloned().unwrap();
    let spread = ids(["a11", "a21", "b11", "c"]);
    assert_eq!(
        worst(&spread, true),
        "a21".into(),
        "the fuller one of those in zone a"
    );
    let in_one_rack = ids(["a11", "a12", "a21", "b11"]);
    assert_ne!(
        worst(&in_one_rack, true),
        "a21".into(),
        "two share more than a zone"
    );
    assert_eq!(worst(&in_one_rack, false), "a21".into());
    assert_eq!(topology.worst_placed(&[], true), None);
}

#[test]
fn a_move_is_better_only_if_less_is_shared() {
    let topology = Topology::new(zones());
    let nodes = ids(["a11", "a21", "b11"]);
    let [from, c, a22, b21] = ids(["a21", "c", "a22", "b21"]);
    assert!(topology.is_better(&nodes, &from, &c));
    assert!(!topology.is_better(&nodes, &from, &a22) && topology.is_as_good(&nodes, &from, &a22));
    assert!(!topology.is_better(&nodes, &from, &b21) && topology.is_as_good(&nodes, &from, &b21));
}

#[test]
fn repair_fills_nodes_further_than_new_chunks_do_and_no_further() {
    for (used, new, repair) in [
        (899, true, true),
        (900, false, true),
        (949, false, true),
        (950, false, false),
    ] {
        let topology = Topology::new([candidate("n", 1_000, used, [])]);
        let sizes = [ByteSize::new(10)];
        let plan = topology.plan(&sizes, 1, SPREAD, 1, &BTreeMap::new());
        assert_eq!(!plan.targets[0].is_empty(), new, "{used}");
        let copy = CopyWanted {
            size: ByteSize::new(10),
            kept: vec![],
            barred: vec![],
            missing: 1,
        };
        let copies = topology.plan_copies(&[copy], SPREAD, 1, &BTreeMap::new(), &|_| true);
        assert_eq!(!copies[0].is_empty(), repair, "{used}");
    }
}

#[test]
fn a_node_that_is_held_down_is_a_last_choice_and_nothing_for_repair() {
    let mut held = candidate("held", 1_000_000, 0, []);
    held.is_held = true;
    let reason = held.exclusion(ByteSize::new(1), Purpose::Repair);
    assert_eq!(reason, Some(Exclusion::HeldDown));
    let sizes = [ByteSize::new(1); 50];
    let alone = Topology::new([held.clone()]);
    let plan = alone.plan(&sizes, 1, SPREAD, 1, &BTreeMap::new());
    assert!(plan.targets.iter().all(|targets| targets.len() == 1));
    let both = Topology::new([held, candidate("steady", 1_000, 0, [])]);
    let plan = both.plan(&sizes, 1, SPREAD, 1, &BTreeMap::new());
    assert_eq!(plan.nodes, ids(["steady"]));
    let copy = |missing| CopyWanted {
        size: ByteSize::new(1),
        kept: vec![],
        barred: vec![],
        missing,
    };
    let copies = both.plan_copies(&[copy(2)], SPREAD, 1, &BTreeMap::new(), &|_| true);
    assert_eq!(copies, [ids(["steady"])]);
}

#[test]
fn nodes_that_cannot_be_told_are_passed_over() {
    let topology = Topology::new(zones());
    let copy = CopyWanted {
        size: ByteSize::new(1),
        kept: ids(["a11", "b11"]).to_vec(),
        barred: vec![],
        missing: 1,
    };
    for seed in 0..50 {
        let not_c = |node: &NodeId| node.as_str() != "c";
        let copies = topology.plan_copies(
            std::slice::from_ref(&copy),
            SPREAD,
            seed,
            &BTreeMap::new(),
            &not_c,
        );
        assert_ne!(copies[0], ids(["c"]));
        assert_eq!(copies[0].len(), 1);
    }
}

#[test]
fn explaining_says_when_a_failure_domain_is_what_keeps_a_node_out() {
    let candidates = zones();
    let topology = Topology::new(candidates.clone());
    let on = |nodes: &[&str]| ChunkRow {
        hash: "h".into(),
        size: ByteSize::new(10),
        created_at: Timestamp::EPOCH,
        home: None,
        index: 0,
        sharers: 0,
        unreferenced_since: None,
        replicas: nodes
            .iter()
            .map(|&node| Replica {
                node: node.into(),
                state: ReplicaState::Stored,
            })
            .collect(),
    };
    let explained = |nodes: &[&str]| -> BTreeMap<String, Result<(), Exclusion>> {
        let all = explain(&on(nodes), &candidates, &topology, SPREAD, Purpose::New);
        all.into_iter().map(|(node, why)| (node.into(), why)).collect()
    };
    let two = explained(&["a11", "b11"]);
    assert_eq!(two["c"], Ok(()));
    assert_eq!(two["a21"], Err(Exclusion::SharesDomain { level: "zone" }));
    assert_eq!(two["a11"], Err(Exclusion::AlreadyHolds));
    let all_zones = explained(&["a11", "b11", "c"]);
    assert_eq!(all_zones["a21"], Ok(()), "another rack of a zone that has one");
    assert_eq!(all_zones["a12"], Err(Exclusion::SharesDomain { level: "rack" }));
}
