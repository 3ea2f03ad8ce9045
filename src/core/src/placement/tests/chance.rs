//! Among the best, chance gives every node its share.

use std::collections::BTreeMap;

use super::{SPREAD, candidate};
use crate::id::NodeId;
use crate::placement::{Candidate, Plan, Topology};
use crate::units::ByteSize;

/// How many replicas each node gets.
fn counts(plan: &Plan) -> BTreeMap<&NodeId, f64> {
    let mut counts = BTreeMap::new();
    for &target in plan.targets.iter().flatten() {
        *counts.entry(&plan.nodes[target as usize]).or_default() += 1.0;
    }
    counts
}

/// Thirty nodes in three zones of very different sizes, the largest four times as large as the smallest of its zone.
fn unequal_zones() -> Vec<Candidate> {
    let node = |number: u64| {
        let zone = ["a", "b", "c"][number as usize % 3];
        let capacity = (1 << 40) * (1 + number % 3) * (10 + number) / 10;
        candidate(
            &format!("n{number:02}"),
            capacity,
            capacity / 10,
            [("zone", zone)],
        )
    };
    (0..30).map(node).collect()
}

/// Checks that within each zone every node has its share, as far as chance allows.
fn assert_shares(candidates: &[Candidate], plan: &Plan, free: impl Fn(&Candidate) -> f64) {
    let counts = counts(plan);
    for candidate in candidates {
        let zone = || candidates.iter().filter(|other| other.domain == candidate.domain);
        let placed: f64 = zone().filter_map(|other| counts.get(&other.id)).sum();
        let expected = free(candidate) / zone().map(&free).sum::<f64>();
        let share = counts.get(&candidate.id).unwrap_or(&0.0) / placed;
        assert!(
            (share - expected).abs() <= 0.05 * expected,
            "{candidate:?}: {share} rather than {expected}"
        );
    }
}

#[test]
fn nodes_get_chunks_in_proportion_to_their_free_space() {
    let candidates = unequal_zones();
    let topology = Topology::new(candidates.clone());
    let sizes = [ByteSize::new(1); 100_000];
    let plan = topology.plan(&sizes, 3, SPREAD, 7, &BTreeMap::new());
    assert_shares(&candidates, &plan, |candidate| candidate.free.get() as f64);
    for targets in &plan.targets {
        let mut zones: Vec<_> = targets
            .iter()
            .map(|&target| {
                candidates
                    .iter()
                    .find(|one| one.id == plan.nodes[target as usize])
                    .unwrap()
            })
            .map(|candidate| &candidate.domain)
            .collect();
        zones.sort();
        zones.dedup();
        assert_eq!(zones.len(), 3, "one in each zone");
    }
}

#[test]
fn what_was_promised_since_counts_as_used() {
    let candidates = unequal_zones();
    let promised = |candidate: &Candidate| match candidate.id.as_str() {
        "n00" | "n01" => candidate.free.get() / 20,
        id if id.ends_with(['3', '5', '8']) => candidate.free.get() / 50,
        _ => 0,
    };
    let mut all: BTreeMap<NodeId, ByteSize> = candidates
        .iter()
        .map(|one| (one.id.clone(), ByteSize::new(promised(one))))
        .collect();
    // Three tenths of the smallest zone, a tenth of the largest.
    let sizes = [ByteSize::new(30 << 20); 100_000];
    let plan = Topology::new(candidates.clone()).plan(&sizes, 3, SPREAD, 8, &all);
    for (node, bytes) in plan.bytes(&sizes) {
        let sum = all.entry(node.clone()).or_default();
        *sum = sum.plus(bytes);
    }
    for one in &candidates {
        let zone = || candidates.iter().filter(|other| other.domain == one.domain);
        let taken: u64 = zone().map(|other| all[&other.id].get()).sum();
        let free: u64 = zone().map(|other| other.free.get()).sum();
        let share = all[&one.id].get() as f64 / taken as f64;
        let expected = one.free.get() as f64 / free as f64;
        assert!(
            (share - expected).abs() <= 0.02 * expected,
            "{one:?}: {share} rather than {expected}"
        );
    }
}

#[test]
fn a_plan_evens_out_by_itself() {
    let candidates: Vec<_> = (0..4)
        .map(|number| candidate(&format!("n{number}"), 10_000, 0, []))
        .collect();
    let plan = Topology::new(candidates).plan(&[ByteSize::new(100); 320], 1, SPREAD, 9, &BTreeMap::new());
    assert_eq!(
        counts(&plan).values().sum::<f64>(),
        320.0,
        "32,000 of 36,000 bytes that may be used"
    );
    assert!(
        counts(&plan).values().all(|count| (60.0..=90.0).contains(count)),
        "{:?}",
        counts(&plan)
    );
}

#[test]
fn a_new_empty_node_does_not_take_all_new_chunks() {
    let mut candidates: Vec<_> = (0..9)
        .map(|number| candidate(&format!("old{number}"), 1 << 40, 1 << 39, []))
        .collect();
    candidates.push(candidate("new", 1 << 40, 0, []));
    let plan = Topology::new(candidates).plan(&[ByteSize::new(1); 20_000], 3, SPREAD, 10, &BTreeMap::new());
    let share = counts(&plan)[&NodeId::from("new")] / 20_000.0;
    assert!(
        (0.4..0.6).contains(&share),
        "{share} of the chunks have a replica on it"
    );
}

#[test]
fn a_loaded_node_is_chosen_less_often() {
    let mut busy = candidate("busy", 1 << 40, 0, []);
    busy.load = 1_000;
    let topology = Topology::new([busy, candidate("idle", 1 << 40, 0, [])]);
    let plan = topology.plan(&[ByteSize::new(1); 20_000], 1, SPREAD, 11, &BTreeMap::new());
    let share = counts(&plan)[&NodeId::from("busy")] / 20_000.0;
    assert!((0.32..0.35).contains(&share), "{share}");
}

/// A hundred nodes in three zones of four racks each, the largest nodes four times as large as the smallest, and each
/// zone as large as the others.
fn hundred_nodes() -> Vec<Candidate> {
    let node = |number: u64| {
        let zone = format!("z{}", number % 3);
        let rack = format!("r{}", number / 3 % 4);
        // The same sizes come again in each zone; the last node of zone 0 has no match in the others.
        let capacity = (1 << 40) * (10 + number / 3 * 30 / 33) / 10;
        let used = capacity / 100 * (number / 3 % 5);
        let domain = [("zone", zone.as_str()), ("rack", rack.as_str())];
        candidate(&format!("n{number:03}"), capacity, used, domain)
    };
    (0..99).map(node).collect()
}

#[test]
fn over_a_hundred_thousand_chunks_no_two_copies_share_a_zone_and_every_node_has_its_share() {
    let mut candidates = hundred_nodes();
    // A hundredth node: its zone has a little more than the others, and each node's share is of its zone's.
    candidates.push(candidate("n099", 1 << 40, 0, [("zone", "z0"), ("rack", "r0")]));
    let topology = Topology::new(candidates.clone());
    let sizes = [ByteSize::new(1 << 20); 1_000];
    let mut promised: BTreeMap<NodeId, ByteSize> = BTreeMap::new();
    let mut placed: BTreeMap<NodeId, f64> = BTreeMap::new();
    let zone_of: BTreeMap<NodeId, _> = candidates
        .iter()
        .map(|one| (one.id.clone(), one.domain.clone()))
        .collect();
    let zone = |id: &NodeId| zone_of[id].levels_shared_with(&zone_of[id]);
    assert!(zone(&"n000".into()) > 2, "racks are told apart");
    for seed in 0..100 {
        let plan = topology.plan(&sizes, 3, SPREAD, seed, &promised);
        for (node, bytes) in plan.bytes(&sizes) {
            let sum = promised.entry(node.clone()).or_default();
            *sum = sum.plus(bytes);
        }
        for targets in &plan.targets {
            let nodes: Vec<&NodeId> = targets
                .iter()
                .map(|&target| &plan.nodes[target as usize])
                .collect();
            assert_eq!(nodes.len(), 3);
            for (at, one) in nodes.iter().enumerate() {
                *placed.entry((*one).clone()).or_default() += 1.0;
                for other in &nodes[..at] {
                    let shared = zone_of[*one].levels_shared_with(&zone_of[*other]);
                    assert!(shared < 2, "{one} and {other} share a zone");
                }
            }
        }
    }
    let free: f64 = candidates.iter().map(|one| one.free.get() as f64).sum();
    for one in &candidates {
        let expected = one.free.get() as f64 / free;
        let share = placed[&one.id] / 300_000.0;
        assert!(
            (share - expected).abs() <= 0.05 * expected,
            "{}: {share} rather than {expected}",
            one.id
        );
    }
}
